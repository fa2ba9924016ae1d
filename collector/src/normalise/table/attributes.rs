//! Attribute names by what they say: OpenTelemetry semantic conventions, their older versions, the tags
//! of OpenTracing, Envoy, Micrometer and Spring Cloud.

use super::super::Slot;

pub(in super::super) const NAMES: &[(Slot, &[&str])] = &[
    (
        Slot::RpcStatus,
        &[
            "rpc.status_code",
            "rpc.response.status_code",
            "rpc.grpc.status_code",
            "rpc.connect_rpc.error_code",
            "grpc.status_code",
        ],
    ),
    (Slot::RpcSystem, &["rpc.system.name", "rpc.system"]),
    (Slot::RpcService, &["rpc.service"]),
    (Slot::RpcMethod, &["rpc.method"]),
    (Slot::HttpStatus, &["http.response.status_code", "http.status_code"]),
    (Slot::HttpMethod, &["http.request.method", "http.method"]),
    (Slot::HttpRoute, &["http.route", "url.template"]),
    (Slot::Url, &["url.full", "http.url"]),
    (Slot::PeerService, &["service.peer.name", "peer.service"]),
    (Slot::PeerHost, &["server.address", "net.peer.name", "peer.hostname"]),
    (Slot::PeerPort, &["server.port", "net.peer.port", "peer.port"]),
    (
        Slot::PeerIp,
        &["network.peer.address", "net.sock.peer.addr", "net.peer.ip", "peer.ipv4", "peer.ipv6", "peer.address"],
    ),
    (Slot::PeerIpPort, &["network.peer.port", "net.sock.peer.port"]),
    (Slot::UpstreamCluster, &["upstream_cluster", "upstream_cluster.name"]),
    (Slot::RouteUri, &["spring.cloud.gateway.route.uri", "spring-cloud-gateway.route.uri"]),
    (Slot::DbSystem, &["db.system.name", "db.system"]),
    (
        Slot::DbNamespace,
        &["db.namespace", "db.name", "db.redis.database_index", "db.mongodb.database", "db.cassandra.keyspace"],
    ),
    (Slot::DbOperation, &["db.operation.name", "db.operation"]),
    (
        Slot::DbCollection,
        &["db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table", "db.cosmosdb.container"],
    ),
    (Slot::DbSummary, &["db.query.summary"]),
    (Slot::DbQuery, &["db.query.text", "db.statement"]),
    (Slot::MessagingSystem, &["messaging.system"]),
    (
        Slot::MessagingDestination,
        &["messaging.destination.template", "messaging.destination.name", "messaging.destination"],
    ),
    (
        Slot::MessagingTemporary,
        &["messaging.destination.temporary", "messaging.destination.anonymous", "messaging.temp_destination"],
    ),
    (Slot::MessagingOperation, &["messaging.operation.type", "messaging.operation.name", "messaging.operation"]),
    (Slot::SpanKind, &["span.kind"]),
    (Slot::Error, &["error"]),
    (Slot::ErrorType, &["error.type", "error.kind"]),
    (Slot::ErrorMessage, &["error.message", "otel.status_description"]),
    (Slot::ResponseFlags, &["response_flags"]),
    (Slot::CircuitOpen, &["hystrix.circuit_open"]),
    // Micrometer's observations of HTTP. Words so common are only believed beside a URL.
    (Slot::PlainMethod, &["method"]),
    (Slot::PlainStatus, &["status"]),
    (Slot::PlainUri, &["uri"]),
    (Slot::PlainException, &["exception"]),
];

/// Attributes of a span event that name an exception, or say what it said.
pub(in super::super) const EXCEPTION_TEXTS: &[&str] = &[
    "exception.type",
    "exception.message",
    // OpenTracing
    "error",
    "error.kind",
    "error.object",
    "error.message",
];

/// How the name of an event begins that tells of a failure, where nothing else of the span does.
pub(in super::super) const FAILURE_EVENTS: &[&str] = &[
    "request fail.", // Motan's OpenTracing filter; the exception's message follows
];
