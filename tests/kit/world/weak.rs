//! Wrong on purpose: what the account orders is changed on its way, to prove that whoever looks notices.

use super::conversation::Phase;
use super::{Weakness, World};
use pimap_account::Output;
use pimap_types::{Code, ConnectionId, ModSeq, Response};

impl World {
    /// The output as it is carried out; nothing when it is lost.
    pub(super) fn weakened(&mut self, output: Output) -> Option<Output> {
        let Output::Write(id, response) = output else { return Some(output) };
        let Some(weakness) = self.weakness else { return Some(Output::Write(id, response)) };
        let running = self.conversations.get(&id).is_some_and(|c| c.phase == Phase::Running);
        let (id, response) = match (weakness, response) {
            (Weakness::DropsStatus, Response::Status(..)) if !running && self.chance.chance(30) => {
                return None;
            }
            (Weakness::DropsRemovals, Response::Expunge(_) | Response::Vanished { .. }) if !running => {
                return None;
            }
            (Weakness::CountsAhead, response) => (id, ahead(response)),
            (Weakness::MixesClients, response) if is_event(&response) => (self.other_client(id), response),
            (_, response) => (id, response),
        };
        Some(Output::Write(id, response))
    }

    /// Another regular client than this one, if there is one.
    fn other_client(&self, id: ConnectionId) -> ConnectionId {
        let is_regular =
            |id: &ConnectionId| self.conversations.get(id).is_some_and(|c| c.regular && c.member);
        let mut others = self.conversations.keys().filter(|other| **other != id && is_regular(other));
        if is_regular(&id) { others.next().copied().unwrap_or(id) } else { id }
    }
}

fn is_event(response: &Response) -> bool {
    matches!(response, Response::Exists(_) | Response::Expunge(_) | Response::FetchFlags { .. })
}

/// HIGHESTMODSEQ is told too high.
fn ahead(response: Response) -> Response {
    let raised = |code: Option<Code>| match code {
        Some(Code::HighestModSeq(ModSeq(number))) => Some(Code::HighestModSeq(ModSeq(number + 2))),
        code => code,
    };
    match response {
        Response::Untagged { status, code, text } => Response::Untagged { status, code: raised(code), text },
        Response::Tagged { tag, status, code, text } => {
            Response::Tagged { tag, status, code: raised(code), text }
        }
        response => response,
    }
}
