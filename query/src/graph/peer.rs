//! What stands at the far end of a call that nobody in the store answered.

use crate::model::NodeKind;

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

/// Unique among all nodes: a service's own name, or a colon, the kind and the peer.
pub(crate) fn id((kind, name): (NodeKind, Name), names: &Names) -> String {
    let name = names.text(name);
    match kind {
        NodeKind::Service => name.to_owned(),
        NodeKind::Database => format!(":database:{name}"),
        NodeKind::Topic => format!(":topic:{name}"),
        NodeKind::External => format!(":external:{name}"),
        NodeKind::User => ":user".to_owned(),
    }
}

/// What people read: a database by its address, or its system where no address is known.
pub(crate) fn name((kind, name): (NodeKind, Name), names: &Names) -> String {
    let text = names.text(name);
    match kind {
        NodeKind::Service | NodeKind::External => text.to_owned(),
        NodeKind::Database => match text.split_once("://") {
            Some((system, "")) => system.to_owned(),
            Some((_, address)) => address.trim_start_matches('/').to_owned(),
            None => text.to_owned(),
        },
        NodeKind::Topic => text.split_once(':').map_or(text, |(_, topic)| topic).to_owned(),
        NodeKind::User => "user".to_owned(),
    }
}

fn speaks_messages(part: &Part, names: &Names) -> bool {
    matches!(part.node.kind, 4 | 5) || BROKERS.contains(&names.text(part.protocol))
}
