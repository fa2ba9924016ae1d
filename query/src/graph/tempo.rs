//! Edges of the service graph as Tempo counts them: a client's span and the span below it, each edge once.

use hashbrown::HashMap;
use storage::ids::SpanId;

use super::intern::{Name, Names};
use super::sides::Side;

/// The label `connection_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Connection {
    Unknown,
    VirtualNode,
    Database,
    MessagingSystem,
}

impl Connection {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::VirtualNode => "virtual_node",
            Self::Database => "database",
            Self::MessagingSystem => "messaging_system",
        }
    }
}

/// One request between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) client: Name,
    pub(crate) server: Name,
    pub(crate) connection: Connection,
    /// Start of the caller's span, or of the callee's where that is all there is; ns since the epoch.
    pub(crate) time: u64,
    /// ns; None where that side is not stored.
    pub(crate) client_duration: Option<u64>,
    pub(crate) server_duration: Option<u64>,
    pub(crate) failed: bool,
}

/// What is known of a request: by the id of the client's span, which is the server's parent.
#[derive(Default)]
struct Half<'a> {
    client: Option<&'a Side>,
    server: Option<&'a Side>,
}

/// The edges of one trace, whose spans come by start. Nothing waits for an edge to expire: what is not stored
/// when the question is asked does not answer.
pub(crate) fn edges(sides: &[Side], names: &mut Names) -> Vec<Edge> {
    let mut halves: HashMap<Option<SpanId>, Half<'_>> = HashMap::new();
    let mut edges = Vec::new();
    let user = names.intern(Some("user"));
    let mut roots = Vec::new();
    for side in sides {
        match (side.kind, side.parent) {
            // The first of several that claim the same id.
            (3 | 4, _) => {
                halves.entry(Some(side.id)).or_default().client.get_or_insert(side);
            }
            (2 | 5, Some(parent)) => {
                halves.entry(Some(parent)).or_default().server.get_or_insert(side);
            }
            (2 | 5, None) => roots.push(side),
            _ => {}
        }
    }
    let is_named = |name: Name| !names.text(name).is_empty();
    // In order, so that sums of floating point numbers are the same each time.
    for client in sides.iter().filter(|side| matches!(side.kind, 3 | 4)) {
        let Some(half) = halves.remove(&Some(client.id)) else { continue };
        let Some(client) = half.client.filter(|client| is_named(client.service)) else { continue };
        edges.extend(called(client, half.server, is_named));
    }
    for root in roots.into_iter().filter(|root| is_named(root.service)) {
        edges.push(Edge {
            client: user,
            server: root.service,
            connection: Connection::VirtualNode,
            time: root.start,
            client_duration: None,
            server_duration: Some(root.duration()),
            failed: root.status == 2,
        });
    }
    edges
}

/// A database answers under its own name even where a span of it is stored; a peer only where none is.
fn called(client: &Side, server: Option<&Side>, is_named: impl Fn(Name) -> bool) -> Option<Edge> {
    let failed = client.status == 2 || server.is_some_and(|server| server.status == 2);
    let edge = |server: Name, connection, server_duration| Edge {
        client: client.service,
        server,
        connection,
        time: client.start,
        client_duration: Some(client.duration()),
        server_duration,
        failed,
    };
    if is_named(client.database) {
        return Some(edge(client.database, Connection::Database, Some(client.duration())));
    }
    if let Some(server) = server.filter(|server| is_named(server.service)) {
        let messaging = client.kind == 4 || server.kind == 5;
        let connection = if messaging { Connection::MessagingSystem } else { Connection::Unknown };
        return Some(edge(server.service, connection, Some(server.duration())));
    }
    let peers = server.map(|server| server.peer).into_iter().chain([client.peer]);
    let peer = peers.into_iter().find(|&peer| is_named(peer))?;
    Some(edge(peer, Connection::VirtualNode, server.map(Side::duration)))
}

#[cfg(test)]
mod tests {
    use super::super::zipkin::testing::side;
    use super::*;

    fn told(sides: &[Side], names: &mut Names) -> Vec<(String, String, &'static str, bool)> {
        let edges = edges(sides, names);
        let text = |name| names.text(name).to_owned();
        edges.iter().map(|edge| (text(edge.client), text(edge.server), edge.connection.label(), edge.failed)).collect()
    }

    fn edge(client: &str, server: &str, kind: &'static str, failed: bool) -> (String, String, &'static str, bool) {
        (client.to_owned(), server.to_owned(), kind, failed)
    }

    #[test]
    fn a_root_server_is_called_by_the_user_and_an_orphan_by_nobody() {
        let mut names = Names::default();
        let root = side(&mut names, 1, None, 2, "a", "");
        let orphan = side(&mut names, 2, Some(9), 2, "b", "");
        assert_eq!(told(&[root, orphan], &mut names), [edge("user", "a", "virtual_node", false)]);
    }

    #[test]
    fn either_side_fails_the_request() {
        let mut names = Names::default();
        let client = side(&mut names, 1, None, 3, "a", "");
        let server = Side { status: 2, ..side(&mut names, 2, Some(1), 2, "b", "") };
        assert_eq!(told(&[client, server], &mut names), [edge("a", "b", "", true)]);
    }

    #[test]
    fn peers_answer_where_no_span_does() {
        let mut names = Names::default();
        let peer = names.intern(Some("p"));
        let client = Side { peer, ..side(&mut names, 1, None, 4, "a", "") };
        assert_eq!(told(&[client], &mut names), [edge("a", "p", "virtual_node", false)]);
        let consumer = side(&mut names, 2, Some(1), 5, "b", "");
        assert_eq!(told(&[client, consumer], &mut names), [edge("a", "b", "messaging_system", false)]);
        let database = Side { database: peer, ..client };
        assert_eq!(told(&[database, consumer], &mut names), [edge("a", "p", "database", false)]);
    }
}
