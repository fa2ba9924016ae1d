//! What stands at the far end of a call that nobody in the store answered.

use crate::model::NodeKind;
use crate::rollup::PlaceKind;

use super::calls::Part;
use super::intern::{Name, Names};

/// Message brokers by the protocol given at ingest (semantic conventions, `messaging.system`).
/// Spans of kind producer and consumer need no entry here.
const BROKERS: &[&str] = &[
    "activemq",
    "artemis",
    "aws_sns",
    "aws_sqs",
    "eventgrid",
    "eventhubs",
    "gcp_pubsub",
    "go-micro",
    "jms",
    "kafka",
    "mqtt",
    "nats",
    "nsq",
    "pulsar",
    "rabbitmq",
    "rocketmq",
    "servicebus",
];

/// The node that a span's peer stands for. At ingest a database's peer is `system://address/namespace`
/// and a topic's is `system:topic`.
pub(crate) fn node(part: &Part, names: &Names) -> Option<(NodeKind, Name)> {
    let peer = names.get(part.peer).filter(|peer| !peer.is_empty())?;
    let after_protocol = names.get(part.protocol).and_then(|protocol| peer.strip_prefix(protocol));
    let kind = match after_protocol {
        Some(rest) if rest.starts_with("://") => NodeKind::Database,
        Some(rest) if rest.starts_with(':') && speaks_messages(part, names) => NodeKind::Topic,
        None if matches!(part.node.kind, 4 | 5) && peer.starts_with("topic:") => NodeKind::Topic,
        _ => NodeKind::External,
    };
    Some((kind, part.peer))
}

/// The topic that a message went through, by the name that its sender has for where it goes.
pub(crate) fn topic(name: &str, protocol: &str) -> bool {
    match Some(protocol).filter(|protocol| !protocol.is_empty()).and_then(|protocol| name.strip_prefix(protocol)) {
        Some(rest) => rest.starts_with(':') && !rest.starts_with("://"),
        None => name.starts_with("topic:"),
    }
}

/// Unique among all nodes: a service's own name, or a colon, the kind and the peer.
pub(crate) fn id(kind: PlaceKind, name: &str) -> String {
    match kind {
        PlaceKind::Service => name.to_owned(),
        PlaceKind::Database => format!(":database:{name}"),
        PlaceKind::Topic => format!(":topic:{name}"),
        PlaceKind::External => format!(":external:{name}"),
        PlaceKind::User => ":user".to_owned(),
        PlaceKind::Unknown => ":unknown".to_owned(),
    }
}

/// What people read: a database by its address, or its system where no address is known.
pub(crate) fn name(kind: PlaceKind, text: &str) -> String {
    match kind {
        PlaceKind::Service | PlaceKind::External => text.to_owned(),
        PlaceKind::Database => match text.split_once("://") {
            Some((system, "")) => system.to_owned(),
            Some((_, address)) => address.trim_start_matches('/').to_owned(),
            None => text.to_owned(),
        },
        PlaceKind::Topic => text.split_once(':').map_or(text, |(_, topic)| topic).to_owned(),
        PlaceKind::User => "user".to_owned(),
        PlaceKind::Unknown => "unknown".to_owned(),
    }
}

fn speaks_messages(part: &Part, names: &Names) -> bool {
    matches!(part.node.kind, 4 | 5) || BROKERS.contains(&names.text(part.protocol))
}
