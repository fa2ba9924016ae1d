//! What the names of spans, scopes and systems say.

use std::borrow::Cow;

use super::super::rules::{NameRule, Rest, Side};

/// Systems whose names differ between conventions. What is not listed keeps its own name.
pub(in super::super) const PROTOCOLS: &[(&str, &str)] = &[
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

const fn rule(scope: &'static str, prefix: &'static str, protocol: &'static str, side: Side, rest: Rest) -> NameRule {
    NameRule {
        scope: Cow::Borrowed(scope),
        prefix: Cow::Borrowed(prefix),
        protocol: Cow::Borrowed(protocol),
        side,
        rest,
    }
}

pub(in super::super) const SPAN_NAMES: &[NameRule] = &[
    // rpcx: its client spans have no kind and no address
    rule("", "rpcx.client.", "rpcx", Side::Exit, Rest::DottedMethod),
    rule("", "rpcx.service.", "rpcx", Side::Entry, Rest::DottedMethod),
    rule("", "rpcx.server.", "rpcx", Side::Entry, Rest::DottedMethod),
    rule("", "rpcx.", "rpcx", Side::Unsaid, Rest::Opaque),
    // go-micro: topics have CLIENT and SERVER spans
    rule("", "Pub to ", "go-micro", Side::Exit, Rest::Topic),
    rule("", "Sub from ", "go-micro", Side::Entry, Rest::Topic),
    // Motan over OpenTracing: the same name on both sides and no kind
    rule("", "Motan_", "motan", Side::ByParent, Rest::MotanMethod),
    // gRPC's own tracing: a span for the call, and one below it for each attempt, which has no kind
    rule("grpc-", "Sent.", "grpc", Side::Exit, Rest::DottedMethod),
    rule("grpc-", "Attempt.", "grpc", Side::Exit, Rest::DottedMethod),
    rule("grpc-", "Recv.", "grpc", Side::Entry, Rest::DottedMethod),
    // go-zero's stores: neither system nor address
    rule("go-zero", "redis", "redis", Side::Unsaid, Rest::Opaque),
    rule("go-zero", "mongo", "mongodb", Side::Unsaid, Rest::Opaque),
    rule("go-zero", "sql", "sql", Side::Unsaid, Rest::Opaque),
];

/// Instrumentation scopes (a part of the name) of frameworks that set no system attribute.
pub(in super::super) const SCOPES: &[(&str, &str)] =
    &[("go-micro", "go-micro"), ("micro/plugins", "go-micro"), ("kitex-contrib", "kitex"), ("rpcx", "rpcx")];

/// Protocols whose client spans are named `service.Endpoint.Method` and carry no attributes.
pub(in super::super) const DOTTED_NAMES: &[&str] = &["go-micro"];

/// Protocols whose `rpc.service` is the name under which the called service is registered. Elsewhere it
/// is an interface, of which a service may have several.
pub(in super::super) const REGISTERED_NAMES: &[&str] = &["kitex"];

/// Envoy clusters that name nobody.
pub(in super::super) const NO_CLUSTERS: &[&str] =
    &["", "-", "PassthroughCluster", "InboundPassthroughCluster", "BlackHoleCluster"];
