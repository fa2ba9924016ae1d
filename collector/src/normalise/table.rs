//! What frameworks really emit, as data: add a line here to teach the normaliser something new.
//!
//! Names of attributes stand newest first; where a span carries several, the first listed wins.
//! Rules stand most specific first; the first that matches wins.

use super::{Outcome, Role, Slot};

use Outcome::*;

/// Attribute names by what they say. OpenTelemetry semantic conventions, their older versions, and
/// the tags of OpenTracing and Envoy.
pub(super) const NAMES: &[(Slot, &[&str])] = &[
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
];

/// Attributes of a span event that name an exception, or say what it said.
pub(super) const EXCEPTION_TEXTS: &[&str] =
    &["exception.type", "exception.message", "error.kind", "error.object", "error.message"];

/// Systems whose names differ between conventions. What is not listed keeps its own name.
pub(super) const PROTOCOLS: &[(&str, &str)] = &[
    ("apache_dubbo", "dubbo"),
    ("apache_thrift", "thrift"),
    ("connect_rpc", "connect"),
    ("jsonrpc", "json_rpc"),
    ("mssql", "sqlserver"),
    ("microsoft.sql_server", "sqlserver"),
    ("postgres", "postgresql"),
    ("oracle.db", "oracle"),
    ("oracle", "oracle"),
    ("ibm.db2", "db2"),
    ("aws.dynamodb", "dynamodb"),
    ("azure.cosmosdb", "cosmosdb"),
    ("gcp.spanner", "spanner"),
    ("AmazonSQS", "aws_sqs"),
    ("RabbitMQ", "rabbitmq"),
];

/// What a span name says where a framework says it nowhere else.
pub(super) struct NameRule {
    pub prefix: &'static str,
    pub protocol: &'static str,
    /// For spans whose kind says neither.
    pub role: Option<Role>,
    pub rest: Rest,
}

/// What follows the prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    ServiceDotMethod,
    Topic,
    Opaque,
}

pub(super) const SPAN_NAMES: &[NameRule] = &[
    // rpcx: its client spans have no kind and no address
    NameRule { prefix: "rpcx.client.", protocol: "rpcx", role: Some(Role::Exit), rest: Rest::ServiceDotMethod },
    NameRule { prefix: "rpcx.service.", protocol: "rpcx", role: Some(Role::Entry), rest: Rest::ServiceDotMethod },
    NameRule { prefix: "rpcx.server.", protocol: "rpcx", role: Some(Role::Entry), rest: Rest::ServiceDotMethod },
    NameRule { prefix: "rpcx.", protocol: "rpcx", role: None, rest: Rest::Opaque },
    // go-micro: topics have CLIENT and SERVER spans
    NameRule { prefix: "Pub to ", protocol: "go-micro", role: Some(Role::Exit), rest: Rest::Topic },
    NameRule { prefix: "Sub from ", protocol: "go-micro", role: Some(Role::Entry), rest: Rest::Topic },
    // Motan over OpenTracing: the same name on both sides and no kind; only the flags can tell
    NameRule { prefix: "Motan_", protocol: "motan", role: None, rest: Rest::Opaque },
];

/// Instrumentation scopes (a part of the name) of frameworks that set no system attribute.
pub(super) const SCOPES: &[(&str, &str)] =
    &[("go-micro", "go-micro"), ("micro/plugins", "go-micro"), ("kitex-contrib", "kitex"), ("rpcx", "rpcx")];

/// Protocols whose client spans are named `service.Endpoint.Method` and carry no attributes.
pub(super) const DOTTED_NAMES: &[&str] = &["go-micro"];

/// A suffix of the span name that decides alone.
pub(super) const NAME_SUFFIXES: &[(&str, Outcome)] = &[
    (".fallback", Fallback), // Hystrix
];

/// Envoy `response_flags` (several are joined by commas), most telling first.
pub(super) const ENVOY_FLAGS: &[(&str, Outcome)] = &[
    ("UO", BreakerOpen),
    ("RL", Limited),
    ("OM", Shed),
    ("URX", RetryExhausted),
    ("UH", NoInstance),
    ("NC", NoInstance),
    ("UT", Timeout),
    ("DT", Timeout),
    ("SI", Timeout),
    ("UAEX", Denied),
    ("DC", Cancelled),
];

/// RPC status by number and by name. Numbers of gRPC (0–16) and Dubbo (20–100) do not meet.
/// Codes that are not here leave the answer to the span's own status.
pub(super) const RPC_CODES: &[(i64, &str, Outcome)] = &[
    (1, "CANCELLED", Cancelled),
    (4, "DEADLINE_EXCEEDED", Timeout),
    (7, "PERMISSION_DENIED", Denied),
    (8, "RESOURCE_EXHAUSTED", Limited),
    (16, "UNAUTHENTICATED", Denied),
    (1, "CANCELED", Cancelled), // Connect's spelling
    (30, "CLIENT_TIMEOUT", Timeout),
    (31, "SERVER_TIMEOUT", Timeout),
    (100, "SERVER_THREADPOOL_EXHAUSTED_ERROR", Shed),
];

pub(super) const HTTP_CODES: &[(i64, Outcome)] = &[
    (401, Denied),
    (403, Denied),
    (407, Denied),
    (408, Timeout),
    (429, Limited),
    (499, Cancelled), // nginx: the client closed the request
    (504, Timeout),
];

/// What error texts say: exception and error types, their messages, the status message.
pub(super) struct TextRule {
    pub text: Text,
    pub outcome: Outcome,
}

/// How a text is compared, case as written.
pub(super) enum Text {
    /// A whole word, so that `FlowException` is not found in `WorkFlowException`.
    Word(&'static str),
    /// Anywhere.
    Phrase(&'static str),
}

const fn word(word: &'static str, outcome: Outcome) -> TextRule {
    TextRule { text: Text::Word(word), outcome }
}

const fn phrase(phrase: &'static str, outcome: Outcome) -> TextRule {
    TextRule { text: Text::Phrase(phrase), outcome }
}

pub(super) const TEXTS: &[TextRule] = &[
    // resilience4j
    word("CallNotPermittedException", BreakerOpen),
    word("RequestNotPermitted", Limited),
    word("BulkheadFullException", Bulkhead),
    word("MaxRetriesExceededException", RetryExhausted),
    // Sentinel
    word("FlowException", Limited),
    word("ParamFlowException", Limited),
    word("DegradeException", BreakerOpen),
    word("SystemBlockException", Shed),
    word("AuthorityException", Denied),
    phrase("Blocked by Sentinel", Limited),
    // Hystrix, in Java and Go
    phrase("short-circuited and", BreakerOpen),
    phrase("could not be queued for execution", Bulkhead),
    phrase("could not acquire a semaphore for execution", Bulkhead),
    phrase("timed-out and", Timeout),
    phrase("hystrix: circuit open", BreakerOpen),
    phrase("hystrix: max concurrency", Bulkhead),
    phrase("hystrix: timeout", Timeout),
    // Polly
    word("BrokenCircuitException", BreakerOpen),
    word("IsolatedCircuitException", BreakerOpen),
    word("RateLimiterRejectedException", Limited),
    word("BulkheadRejectedException", Bulkhead),
    word("TimeoutRejectedException", Timeout),
    // Kitex
    phrase("forbidden by circuitbreaker", BreakerOpen),
    phrase("request over limit", Limited),
    phrase("rpc timeout", Timeout),
    phrase("no instance available", NoInstance),
    // rpcx
    phrase("breaker open", BreakerOpen),
    phrase("request reached rate limit", Limited),
    phrase("can not found any server", NoInstance),
    // go-zero
    phrase("breaker is open", BreakerOpen),
    phrase("service overloaded", Shed),
    // go-micro
    phrase("too many request", Limited),
    phrase("none available", NoInstance),
    // Dubbo
    phrase("No provider available", NoInstance),
    phrase("Thread pool is EXHAUSTED!", Shed),
    phrase("times of the providers", RetryExhausted),
    phrase("Waiting server-side response timeout", Timeout),
    // Envoy's local answers
    phrase("no healthy upstream", NoInstance),
    phrase("reset reason: overflow", BreakerOpen),
    word("local_rate_limited", Limited),
    // Spring Cloud load balancer, opossum
    phrase("Unable to find instance for", NoInstance),
    phrase("No instances available for", NoInstance),
    phrase("Load balancer does not contain an instance", NoInstance),
    word("EOPENBREAKER", BreakerOpen),
    phrase("Breaker is open", BreakerOpen),
    // Thrift, and what every runtime has
    word("TIMED_OUT", Timeout),
    word("ETIMEDOUT", Timeout),
    word("DEADLINE_EXCEEDED", Timeout),
    word("DeadlineExceeded", Timeout),
    word("TimeoutException", Timeout),
    word("SocketTimeoutException", Timeout),
    word("HttpTimeoutException", Timeout),
    word("ReadTimeoutException", Timeout),
    word("ConnectTimeoutException", Timeout),
    word("TimeoutError", Timeout),
    word("ReadTimeout", Timeout),
    word("ConnectTimeout", Timeout),
    word("timeout", Timeout),
    phrase("context deadline exceeded", Timeout),
    phrase("timed out", Timeout),
    word("CancellationException", Cancelled),
    word("CancelledError", Cancelled),
    word("AbortError", Cancelled),
    phrase("context canceled", Cancelled),
];
