//! The frames of a handset's octets do not depend on how the octets were cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pimap_wire::frame::{Frame, Framer, LiteralMode};

fuzz_target!(|input: &[u8]| {
    let [how, octets @ ..] = input else { return };
    let mode = if how & 1 == 0 { LiteralMode::Stream } else { LiteralMode::Body };
    let accept = how & 2 == 0;
    let piece = usize::from(how >> 3) + 1;
    let whole = frames(mode, accept, octets, octets.len().max(1));
    let cut = frames(mode, accept, octets, piece);
    assert_eq!(certain(mode, accept, whole), certain(mode, accept, cut));
});

/// On a stream a refused `{n}` is skipped only when its octets are there already, which does depend on how they came:
/// up to the first refusal all must be the same. In a body nothing may differ.
fn certain(mode: LiteralMode, accept: bool, mut frames: Vec<Frame>) -> Vec<Frame> {
    let refusal = |frame: &Frame| match frame {
        Frame::Rejected(_) => true,
        Frame::AppendStart { .. } | Frame::AppendPart { literal: Some(_), .. } => !accept,
        _ => false,
    };
    if mode == LiteralMode::Stream {
        let until = frames.iter().position(refusal).map_or(frames.len(), |at| at + 1);
        frames.truncate(until);
    }
    frames
}

/// All frames; the pieces of a message are joined, since only they may be cut differently.
fn frames(mode: LiteralMode, accept: bool, octets: &[u8], piece: usize) -> Vec<Frame> {
    let mut framer = Framer::new(mode);
    let mut frames = Vec::new();
    for part in octets.chunks(piece) {
        framer.feed(part);
        take(&mut framer, accept, &mut frames);
    }
    framer.end_of_input();
    take(&mut framer, accept, &mut frames);
    frames
}

fn take(framer: &mut Framer, accept: bool, frames: &mut Vec<Frame>) {
    while let Some(frame) = framer.next_frame() {
        match (&frame, frames.last_mut()) {
            (Frame::AppendBytes(more), Some(Frame::AppendBytes(octets))) => {
                *octets = [octets.as_ref(), more.as_ref()].concat().into();
                continue;
            }
            (Frame::AppendStart { .. } | Frame::AppendPart { literal: Some(_), .. }, _) => match accept {
                true => framer.accept_append(),
                false => framer.refuse_append(),
            },
            _ => {}
        }
        frames.push(frame);
    }
}
