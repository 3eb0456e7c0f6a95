//! Known answers of THREAD, step by step as RFC 5256 3 has them.

use super::*;
use proptest::prelude::*;

/// A letter: hour of its date, subject, Message-ID, References; numbered from 1.
type Letter<'a> = (i64, &'a str, &'a str, &'a str);

fn threadables(letters: &[Letter<'_>]) -> Vec<Threadable> {
    let of = |(at, (hour, subject, id, references)): (usize, &Letter<'_>)| {
        let mut told = Described { references: references.as_bytes().to_vec(), ..Described::default() };
        told.received = Some(Timestamp(hour * 3_600_000));
        told.envelope.subject = subject.as_bytes().to_vec();
        told.envelope.message_id = id.as_bytes().to_vec();
        Threadable::new(Uid::new(at as u32 + 1).expect("not zero"), &told, true)
    };
    letters.iter().enumerate().map(of).collect()
}

/// Threads as `1(2,3),4`: children in parentheses, `-` for a dummy.
fn shown(threads: &Threads<Uid>) -> String {
    let (mut text, mut open) = (String::new(), 0);
    for (at, place) in threads.places.iter().enumerate() {
        match place.depth.cmp(&open) {
            std::cmp::Ordering::Greater => text.push('('),
            order => {
                text.push_str(&")".repeat((open - place.depth) as usize));
                text.push_str(if at > 0 && order.is_le() { "," } else { "" });
            }
        }
        open = place.depth;
        text.push_str(&place.message.map_or("-".to_owned(), |uid| uid.to_string()));
    }
    text + &")".repeat(open as usize)
}

fn threaded(letters: &[Letter<'_>]) -> String {
    shown(&by_references(&threadables(letters)).expect("is not entangled"))
}

/// Step 1: chains, the last reference holds, loops are not made, a second message with an identifier has none.
#[test]
fn references_make_parents() {
    assert_eq!(
        threaded(&[(1, "", "<a@x>", ""), (2, "", "<b@x>", "<a@x>"), (3, "", "<c@x>", "<a@x> <b@x>")]),
        "1(2(3))"
    );
    // The answer came before the question, and knows more of the way than the truncated header.
    assert_eq!(
        threaded(&[(3, "", "<c@x>", "<a@x> <b@x>"), (2, "", "<b@x>", ""), (1, "", "<a@x>", "")]),
        "3,2(1)"
    );
    // Each refers to the other, and one to itself.
    assert_eq!(threaded(&[(1, "", "<a@x>", "<b@x>"), (2, "", "<b@x>", "<a@x>")]), "2(1)");
    assert_eq!(threaded(&[(1, "", "<a@x>", "<a@x>")]), "1");
    assert_eq!(threaded(&[(1, "", "<a@x>", ""), (2, "", "<a@x>", ""), (3, "", "<b@x>", "<a@x>")]), "1(3),2");
    assert_eq!(threaded(&[(1, "", "<\"a\"@x>", ""), (2, "", "", "<a@x>")]), "1(2)");
}

/// RFC 5256 3: the first identifier of In-Reply-To, where References has none.
#[test]
fn in_reply_to_stands_in_for_references() {
    let mut told = Described { references: b"References: nonsense\r\n\r\n".to_vec(), ..Described::default() };
    told.envelope.in_reply_to = b"letter of Joe <a@x> <b@x>".to_vec();
    let uid = Uid::new(1).expect("not zero");
    assert_eq!(Threadable::new(uid, &told, true).references, [b"a@x".to_vec().into_boxed_slice()]);
    told.references = b"References: <c@x>\r\n\r\n".to_vec();
    assert_eq!(Threadable::new(uid, &told, true).references, [b"c@x".to_vec().into_boxed_slice()]);
}

/// Step 3: dummies remain only at the top, over several.
#[test]
fn dummies_give_way() {
    assert_eq!(threaded(&[(1, "", "<a@x>", "<gone@x>")]), "1");
    assert_eq!(threaded(&[(1, "", "<a@x>", "<gone@x>"), (2, "", "<b@x>", "<gone@x>")]), "-(1,2)");
    assert_eq!(
        threaded(&[
            (1, "", "<a@x>", ""),
            (2, "", "<b@x>", "<a@x> <gone@x>"),
            (3, "", "<c@x>", "<a@x> <gone@x>")
        ]),
        "1(2,3)"
    );
    // Dummy over dummy over two, and over one and one more.
    assert_eq!(threaded(&[(1, "", "", "<p@x> <q@x>"), (2, "", "", "<p@x> <q@x>")]), "-(1,2)");
    assert_eq!(threaded(&[(2, "", "", "<p@x> <q@x>"), (1, "", "", "<p@x> <r@x>")]), "-(2,1)");
}

/// Step 5, and the order of steps 4 and 6.
#[test]
fn one_subject_is_one_thread() {
    // A reply without references goes below the first message, whichever came first.
    assert_eq!(threaded(&[(1, "Re: x", "", ""), (2, "X", "", "")]), "2(1)");
    assert_eq!(threaded(&[(1, "x", "", ""), (2, "re: x", "", ""), (3, "Fwd: x", "", "")]), "1(2,3)");
    // Two that are no replies share a dummy, and so does what follows.
    assert_eq!(threaded(&[(1, "x", "", ""), (2, "x", "", ""), (3, "Re: x", "", "")]), "-(1,2,3)");
    assert_eq!(threaded(&[(1, "Re: x", "", ""), (2, "Re: x", "", "")]), "-(1,2)");
    // Dummies with one subject are one, and take in what is there.
    let dummies = [
        (1, "x", "", "<p@x>"),
        (3, "x", "", "<p@x>"),
        (2, "x", "", "<q@x>"),
        (4, "x", "", "<q@x>"),
        (0, "x", "", ""),
    ];
    assert_eq!(threaded(&dummies), "-(5,1,3,2,4)");
    // No subject, nothing in common.
    assert_eq!(threaded(&[(1, "", "", ""), (2, "Re:", "", "")]), "1,2");
    // Brothers and threads by date, ties by number.
    assert_eq!(
        threaded(&[
            (9, "a", "<a@x>", ""),
            (3, "b", "", "<a@x>"),
            (2, "c", "", "<a@x>"),
            (5, "d", "", ""),
            (5, "e", "", "")
        ]),
        "4,5,1(3,2)"
    );
}

#[test]
fn ordered_subject_has_replies_to_the_first_alone() {
    let letters = [
        (5, "b", "", ""),
        (2, "a", "", ""),
        (3, "Re: B", "", ""),
        (4, "re: a", "", ""),
        (9, "b", "", ""),
        (2, "c", "", ""),
    ];
    assert_eq!(shown(&by_subject(threadables(&letters))), "2(4),6,3(1,5)");
    assert_eq!(shown(&by_subject(Vec::new())), "");
}

/// As deep as there are messages, in either order, and wide: no stack is used up, and no time.
#[test]
fn depth_and_width_are_no_danger() {
    let many = 50_000;
    for reverse in [false, true] {
        let name = |at: usize| format!("<{at}@x>");
        let mut names: Vec<_> = (0..many).map(|at| (name(at + 1), name(at))).collect();
        if reverse {
            names.reverse();
        }
        let letters: Vec<Letter<'_>> = names.iter().map(|(id, parent)| (0, "", &**id, &**parent)).collect();
        let threads = by_references(&threadables(&letters)).expect("is not entangled");
        assert_eq!(threads.places.last().map(|place| place.depth), Some(many as u32 - 1));
    }
}

/// A header that makes every link walk a long way up costs its bound and is then refused.
#[test]
fn entangled_references_are_refused() {
    let (deep, wide) = (20_000, 4_000);
    let chain: String = (0..deep).map(|at| format!("<{at}@x>")).collect();
    // Each names the chain's end as the parent of its beginning: a loop, found only at the top.
    let loops = format!("<{}@x><0@x>", deep - 1);
    let mut letters: Vec<Letter<'_>> = vec![(0, "", "", &chain)];
    letters.extend((0..wide).map(|_| (0, "", "", &*loops)));
    assert_eq!(by_references(&threadables(&letters)), Err(TooEntangled));
}

proptest! {
    /// Whatever is referred to, every message is told once, and dummies only at the top, over two or more.
    #[test]
    fn every_message_is_told_once(letters in proptest::collection::vec((0..5_i64, "(re: )?[xy]?", 0..8_u32, proptest::collection::vec(0..12_u32, 0..4)), 0..16)) {
        let texts: Vec<_> = letters.iter().map(|(hour, subject, id, references)| {
            let references: String = references.iter().map(|id| format!("<{id}@x> ")).collect();
            (*hour, subject.clone(), format!("<{id}@x>"), references)
        }).collect();
        let letters: Vec<Letter<'_>> = texts.iter().map(|(hour, subject, id, refs)| (*hour, &**subject, &**id, &**refs)).collect();
        let threads = by_references(&threadables(&letters)).expect("is not entangled");
        let mut told: Vec<_> = threads.places.iter().filter_map(|place| place.message.map(Uid::get)).collect();
        told.sort_unstable();
        prop_assert_eq!(told, (1..=letters.len() as u32).collect::<Vec<_>>());
        for (at, place) in threads.places.iter().enumerate().filter(|(_, place)| place.message.is_none()) {
            let children = threads.places[at + 1..].iter().take_while(|below| below.depth > 0).filter(|below| below.depth == 1);
            prop_assert!(place.depth == 0 && children.count() >= 2);
        }
    }
}
