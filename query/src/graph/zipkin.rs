//! Links between services as Zipkin's dependency linker counts them.
//!
//! One trace becomes a tree first: spans of one id that were sent in pieces are one, and a server that shares its
//! client's id hangs below it. Then each span says whom it links, by its kind and the names on both of its ends.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use storage::ids::SpanId;

use crate::engine::{Engine, QueryError, Range};
use crate::model::Notes;

use super::intern::{Name, Names};
use super::sides::{self, Side};

/// How often one service called another, and how often that failed. Names are in lower case, as Zipkin's are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub parent: String,
    pub child: String,
    pub calls: u64,
    pub errors: u64,
}

impl Engine {
    /// Links of the traces that begin within the range, in order of names.
    pub async fn zipkin_links(&self, range: Range) -> Result<(Vec<Link>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut names, mut notes, mut sums) = (Names::default(), Notes::over(snapshot, range), BTreeMap::new());
            sides::each_trace(snapshot, deadline, range, &mut names, &mut notes, |trace, names| {
                if begins(trace).is_some_and(|start| range.contains(start as i64)) {
                    for (parent, child, failed) in links(trace, names) {
                        let sum: &mut (u64, u64) = sums.entry((parent, child)).or_default();
                        sum.0 += 1;
                        sum.1 += u64::from(failed);
                    }
                }
                Ok(())
            })?;
            let mut by_text: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
            for ((parent, child), (calls, errors)) in sums {
                let text = |name| names.text(name).to_lowercase();
                let sum = by_text.entry((text(parent), text(child))).or_default();
                sum.0 += calls;
                sum.1 += errors;
            }
            let links =
                by_text.into_iter().map(|((parent, child), (calls, errors))| Link { parent, child, calls, errors });
            Ok((links.collect(), notes))
        })
        .await
    }
}

impl Engine {
    /// Whom spans of any of these services name as their other end, in lower case and in order.
    pub async fn zipkin_remotes(
        &self,
        services: Vec<String>,
        range: Range,
    ) -> Result<(BTreeSet<String>, Notes), QueryError> {
        self.run(move |snapshot, deadline| {
            let (mut names, mut notes, mut found) = (Names::default(), Notes::of(snapshot), BTreeSet::new());
            let services: Vec<Name> = services.iter().map(|service| names.intern(Some(service))).collect();
            sides::each_side(snapshot, deadline, range, &mut names, &mut notes, |side| {
                if services.contains(&side.service) && side.remote != Name::NONE {
                    found.insert(side.remote);
                }
            })?;
            let texts = found.into_iter().map(|name| names.text(name).to_lowercase());
            Ok((texts.filter(|name| !name.is_empty()).collect(), notes))
        })
        .await
    }
}

/// When a trace begins: at its root, else at the last of its spans that has a time, as Zipkin has it.
fn begins(trace: &[Side]) -> Option<u64> {
    trace.iter().find(|side| side.parent.is_none()).or(trace.last()).map(|side| side.start)
}

/// Kinds that say which end of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Server,
    Producer,
    Consumer,
}

#[derive(Clone, Copy)]
struct Span {
    id: SpanId,
    parent: Option<SpanId>,
    kind: Option<Kind>,
    shared: bool,
    service: Option<Name>,
    remote: Option<Name>,
    error: bool,
}

/// (parent, child, failed) of each call of one trace.
fn links(trace: &[Side], names: &Names) -> Vec<(Name, Name, bool)> {
    let tree = Tree::of(merged(trace, names));
    (0..tree.spans.len()).filter(|&at| tree.is_kept[at]).fold(Vec::new(), |mut links, at| {
        tree.link(at, &mut links);
        links
    })
}

/// Spans by id, the client's first; pieces of one span put together, and servers marked that share their client's id.
fn merged(trace: &[Side], names: &Names) -> Vec<Span> {
    let some = |name: Name| (!names.text(name).is_empty()).then_some(name);
    let mut spans: Vec<Span> = trace
        .iter()
        .map(|side| Span {
            id: side.id,
            parent: side.parent.filter(|parent| *parent != side.id),
            kind: match side.kind {
                2 => Some(Kind::Server),
                3 => Some(Kind::Client),
                4 => Some(Kind::Producer),
                5 => Some(Kind::Consumer),
                _ => None,
            },
            shared: side.shared,
            service: some(side.service),
            remote: some(side.remote),
            error: side.error || side.status == 2,
        })
        .collect();
    spans.sort_by_key(|span| (span.id, span.shared, span.kind != Some(Kind::Client), span.service));
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for mut span in spans {
        if let Some(last) = merged.last_mut().filter(|last| last.id == span.id) {
            let agrees = last.service.is_none() || span.service.is_none() || last.service == span.service;
            let both_kinds = last.kind == Some(Kind::Client) && span.kind == Some(Kind::Server);
            if last.shared == span.shared && agrees && !both_kinds {
                last.absorb(&span);
                continue;
            }
            span.shared |= both_kinds;
            span.parent = span.parent.or(last.parent);
        }
        merged.push(span);
    }
    merged
}

impl Span {
    fn absorb(&mut self, piece: &Span) {
        self.parent = self.parent.or(piece.parent);
        self.kind = self.kind.or(piece.kind);
        self.service = self.service.or(piece.service);
        self.remote = self.remote.or(piece.remote);
        self.error |= piece.error;
    }
}

/// How spans are addressed: several servers may share one client's id, and are told apart by their service.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Own(SpanId),
    Shared(SpanId, Option<Name>),
}

struct Tree {
    spans: Vec<Span>,
    root: Option<usize>,
    has_children: Vec<bool>,
    /// Of several spans that claim one place the last has it.
    is_kept: Vec<bool>,
    /// The nearest span above that has a kind.
    remote_ancestor: Vec<Option<usize>>,
}

impl Tree {
    fn of(spans: Vec<Span>) -> Self {
        let key = |span: &Span| match span.shared {
            true => Key::Shared(span.id, span.service),
            false => Key::Own(span.id),
        };
        let root = spans.iter().position(|span| !span.shared && span.parent.is_none());
        let own: HashMap<Key, usize> = spans.iter().enumerate().map(|(at, span)| (key(span), at)).collect();
        // Spans that do not say their service find a shared one by its id alone.
        let nameless = spans.iter().enumerate().filter(|(_, span)| span.shared);
        let nameless: HashMap<SpanId, usize> = nameless.map(|(at, span)| (span.id, at)).collect();
        let found = |at: usize| -> Option<usize> {
            let span = &spans[at];
            if span.shared {
                return own.get(&Key::Own(span.id)).copied();
            }
            let above = span.parent?;
            let shared = match span.service {
                Some(_) => own.get(&Key::Shared(above, span.service)),
                None => nameless.get(&above),
            };
            shared.or_else(|| own.get(&Key::Own(above))).copied()
        };
        // What has no parent hangs below the root, if there is one.
        let parent: Vec<Option<usize>> = (0..spans.len())
            .map(|at| if Some(at) == root { None } else { found(at).filter(|&above| above != at).or(root) })
            .collect();
        let is_kept: Vec<bool> =
            spans.iter().enumerate().map(|(at, span)| Some(at) == root || own.get(&key(span)) == Some(&at)).collect();
        let mut has_children = vec![false; spans.len()];
        for at in (0..spans.len()).filter(|&at| is_kept[at]) {
            parent[at].into_iter().for_each(|above| has_children[above] = true);
        }
        let remote_ancestor = remote_ancestors(&spans, &parent);
        Self { spans, root, has_children, is_kept, remote_ancestor }
    }

    fn link(&self, at: usize, links: &mut Vec<(Name, Name, bool)>) {
        let span = &self.spans[at];
        // The server below knows its own name better than the client does.
        if span.kind == Some(Kind::Client) && self.has_children[at] {
            return;
        }
        let kind = match span.kind {
            Some(kind) => kind,
            None if span.service.is_some() && span.remote.is_some() => Kind::Client,
            None => return,
        };
        let (mut parent, child) = match kind {
            Kind::Server | Kind::Consumer => (span.remote, span.service),
            Kind::Client | Kind::Producer => (span.service, span.remote),
        };
        if matches!(kind, Kind::Producer | Kind::Consumer) {
            // Only what names its broker links.
            links.extend(parent.zip(child).map(|(parent, child)| (parent, child, span.error)));
            return;
        }
        if kind == Kind::Server && self.root == Some(at) && parent.is_none() {
            return;
        }
        let mut failed = span.error;
        let remote = self.remote_ancestor[at].map(|above| &self.spans[above]);
        if let Some((remote, name)) = remote.and_then(|remote| Some((remote, remote.service?))) {
            // Some clients bear the name of whom they call: the call to it is not in the trace otherwise.
            if kind == Kind::Client
                && let Some(service) = span.service.filter(|service| *service != name)
            {
                links.push((name, service, false));
            }
            if kind == Kind::Server || parent.is_none() {
                parent = Some(name);
            }
            failed |= remote.kind == Some(Kind::Client) && span.parent == Some(remote.id) && remote.error;
        }
        links.extend(parent.zip(child).map(|(parent, child)| (parent, child, failed)));
    }
}

/// Each span asks its parent, once: paths may be as long as the trace. Circles end where they began.
fn remote_ancestors(spans: &[Span], parent: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut known: Vec<Option<Option<usize>>> = vec![None; spans.len()];
    for from in 0..spans.len() {
        let (mut path, mut at) = (Vec::new(), from);
        let found = loop {
            if let Some(found) = known[at] {
                break found;
            }
            // What is asked again before it is answered is above itself.
            known[at] = Some(None);
            path.push(at);
            match parent[at] {
                None => break None,
                Some(above) if spans[above].kind.is_some() => break Some(above),
                Some(above) => at = above,
            }
        };
        path.into_iter().for_each(|at| known[at] = Some(found));
    }
    known.into_iter().map(Option::flatten).collect()
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
