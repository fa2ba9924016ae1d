//! Attributes and names of spans, as the instrumentation of each protocol writes them (OpenTelemetry
//! semantic conventions 1.3x), and the resource of an instance.

use proto::otlp::make::{int, text};
use proto::otlp::messages::common::v1::KeyValue;

use super::facts::{Facts, fill};
use super::shape::{Entry, Fault, Language, Operation, Outside, Query, Service, Topic};
use super::story::Instance;

/// What a span says apart from ids and times.
pub(super) struct Described {
    pub(super) name: String,
    /// Instrumentation that made it, without the language's prefix.
    pub(super) library: &'static str,
    pub(super) attributes: Vec<KeyValue>,
    /// Whether its status is an error.
    pub(super) error: bool,
}

/// The span of the service that works.
pub(super) fn entry(operation: &Operation, by: Instance, fault: Option<&Fault>, facts: &Facts) -> Described {
    match &operation.entry {
        Entry::Http { method, route } => http_server(method, route, by, fault, facts),
        Entry::Gateway { method, route, id } => {
            let mut described = http_server(method, route, by, fault, facts);
            described.attributes.push(text("spring-cloud-gateway.route.id", *id));
            described.attributes.push(text("spring-cloud-gateway.route.uri", format!("lb://{id}")));
            described.library = "spring-cloud-gateway-2.0";
            described
        }
        Entry::Grpc { service, method } => {
            let mut described = grpc(service, method, fault);
            // Only what is the server's own doing is its error: "Trace semantic conventions for gRPC".
            described.error = fault.is_some_and(|fault| matches!(fault.grpc, 2 | 4 | 12 | 13 | 14 | 15));
            described
        }
        Entry::Dubbo { interface, method } => dubbo(interface, method, fault),
        Entry::Message | Entry::Linked => {
            Described { name: "process".to_owned(), library: "kafka", attributes: Vec::new(), error: fault.is_some() }
        }
        Entry::Job { name } => Described {
            name: (*name).to_owned(),
            library: "scheduling",
            attributes: vec![text("code.function.name", format!("com.shop.order.{name}"))],
            error: fault.is_some(),
        },
    }
}

/// The span of the caller.
pub(super) fn exit(to: &Operation, fault: Option<&Fault>, attempt: u32, facts: &Facts) -> Described {
    let (host, port) = (to.service.name, to.service.port);
    let mut described = match &to.entry {
        Entry::Http { method, route } | Entry::Gateway { method, route, .. } => {
            http_client(method, &path(route, facts), host, port, fault)
        }
        Entry::Grpc { service, method } => {
            let mut described = grpc(service, method, fault);
            described.attributes.extend(server(host, port));
            described
        }
        Entry::Dubbo { interface, method } => {
            let mut described = dubbo(interface, method, fault);
            // Dubbo names where it found the provider.
            described.attributes.push(text("server.address", format!("nacos://nacos:8848/{interface}:1.0.0:shop")));
            described.attributes.push(text("network.peer.address", address(to.service, 0)));
            described
        }
        Entry::Message | Entry::Linked | Entry::Job { .. } => {
            Described { name: host.to_owned(), library: "internal", attributes: Vec::new(), error: fault.is_some() }
        }
    };
    if attempt > 1 {
        described.attributes.push(int("http.request.resend_count", i64::from(attempt) - 1));
    }
    described
}

fn http_server(method: &str, route: &str, by: Instance, fault: Option<&Fault>, facts: &Facts) -> Described {
    let status = http_status(method, fault);
    let mut attributes = vec![
        text("http.request.method", method),
        text("http.route", route),
        text("url.path", path(route, facts)),
        text("url.scheme", "http"),
        int("http.response.status_code", status.into()),
        text("user_agent.original", facts.agent()),
        text("client.address", facts.get("ip").unwrap_or_default()),
    ];
    attributes.extend(server(by.service.name, by.service.port));
    Described { name: format!("{method} {route}"), library: "http", attributes, error: status >= 500 }
}

fn http_client(method: &str, path: &str, host: &str, port: u16, fault: Option<&Fault>) -> Described {
    let status = http_status(method, fault);
    let mut attributes = vec![
        text("http.request.method", method),
        text("url.full", format!("http://{host}:{port}{path}")),
        int("http.response.status_code", status.into()),
    ];
    attributes.extend(server(host, port));
    Described { name: method.to_owned(), library: "http", attributes, error: status >= 400 }
}

fn http_status(method: &str, fault: Option<&Fault>) -> u16 {
    fault.map_or(if method == "POST" { 201 } else { 200 }, |fault| fault.http)
}

fn grpc(service: &str, method: &str, fault: Option<&Fault>) -> Described {
    let code = fault.map_or(0, |fault| fault.grpc);
    let attributes = vec![
        text("rpc.system", "grpc"),
        text("rpc.service", service),
        text("rpc.method", method),
        int("rpc.grpc.status_code", code.into()),
    ];
    Described { name: format!("{service}/{method}"), library: "grpc", attributes, error: code != 0 }
}

fn dubbo(interface: &str, method: &str, fault: Option<&Fault>) -> Described {
    let attributes =
        vec![text("rpc.system", "apache_dubbo"), text("rpc.service", interface), text("rpc.method", method)];
    Described { name: format!("{interface}/{method}"), library: "apache-dubbo-2.7", attributes, error: fault.is_some() }
}

pub(super) fn query(query: &Query, fault: Option<&Fault>) -> Described {
    let Query { store, verb, collection, text: statement, .. } = query;
    let mut attributes = vec![
        text("db.system.name", store.system),
        text("db.namespace", store.namespace),
        text("db.operation.name", *verb),
        text("db.query.text", *statement),
    ];
    attributes.extend(server(store.host, store.port));
    if !collection.is_empty() {
        attributes.push(text("db.collection.name", *collection));
    }
    if store.system == "elasticsearch" {
        attributes.push(text("http.request.method", "POST"));
        attributes.push(text("url.full", format!("http://{}:{}/{collection}/_search", store.host, store.port)));
    }
    let name = [*verb, *collection].join(" ");
    Described { name: name.trim_end().to_owned(), library: library(store.system), attributes, error: fault.is_some() }
}

fn library(system: &'static str) -> &'static str {
    match system {
        "mysql" | "postgresql" => "sql",
        other => other,
    }
}

pub(super) fn outside(outside: &Outside, fault: Option<&Fault>) -> Described {
    let mut described = http_client(outside.method, outside.path, outside.host, 443, fault);
    let url = text("url.full", format!("https://{}{}", outside.host, outside.path));
    described.attributes.iter_mut().filter(|attribute| attribute.key == url.key).for_each(|full| *full = url.clone());
    described
}

/// `verb` is `send` or `process`.
pub(super) fn message(topic: &Topic, verb: &str, partition: u32, offset: u64) -> (String, Vec<KeyValue>) {
    let mut attributes = vec![
        text("messaging.system", "kafka"),
        text("messaging.destination.name", topic.name),
        text("messaging.operation.type", verb),
        text("messaging.operation.name", verb),
        text("messaging.destination.partition.id", partition.to_string()),
        int("messaging.kafka.offset", i64::try_from(offset).unwrap_or(i64::MAX)),
    ];
    attributes.extend(server("kafka", 9092));
    (format!("{verb} {}", topic.name), attributes)
}

fn server(host: &str, port: u16) -> [KeyValue; 2] {
    [text("server.address", host), int("server.port", port.into())]
}

/// The route with its parameters filled in.
pub(super) fn path(route: &str, facts: &Facts) -> String {
    fill(&route.replace(":id", "{id}"), |name| facts.get(name))
}

fn address(service: &Service, number: u32) -> String {
    // Any stable number of the service will do.
    let sum: u32 = service.name.bytes().map(u32::from).sum();
    format!("10.42.{}.{}", sum % 200, 10 + number)
}

/// Names that instrumentation of before the stable conventions writes.
const OLD_NAMES: &[(&str, &str)] = &[
    ("http.request.method", "http.method"),
    ("http.response.status_code", "http.status_code"),
    ("url.full", "http.url"),
    ("url.path", "http.target"),
    ("url.scheme", "http.scheme"),
    ("server.address", "net.peer.name"),
    ("server.port", "net.peer.port"),
    ("user_agent.original", "http.user_agent"),
    ("db.system.name", "db.system"),
    ("db.namespace", "db.name"),
    ("db.operation.name", "db.operation"),
    ("db.query.text", "db.statement"),
    ("messaging.operation.type", "messaging.operation"),
];

pub(super) fn with_old_names(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if let Some((_, old)) = OLD_NAMES.iter().find(|(new, _)| *new == attribute.key) {
            attribute.key = (*old).to_owned();
        }
    }
}

/// The instrumentation scope of a library, as the language's packages are named.
pub(super) fn scope(language: Language, library: &str) -> String {
    let prefix = match language {
        Language::Java => "io.opentelemetry.",
        Language::Go => "go.opentelemetry.io/contrib/instrumentation/",
        Language::Node => "@opentelemetry/instrumentation-",
        Language::Python => "opentelemetry.instrumentation.",
        Language::DotNet => "OpenTelemetry.Instrumentation.",
        Language::Rust => "opentelemetry-",
    };
    format!("{prefix}{library}")
}

pub(super) fn resource(by: Instance) -> Vec<KeyValue> {
    let Instance { service, number, version } = by;
    let (language, sdk, runtime, runtime_version) = match service.language {
        Language::Java => ("java", "1.44.1", "OpenJDK Runtime Environment", "21.0.5"),
        Language::Go => ("go", "1.32.0", "go", "go1.23.4"),
        Language::Node => ("nodejs", "1.30.0", "nodejs", "22.11.0"),
        Language::Python => ("python", "1.29.0", "cpython", "3.12.8"),
        Language::DotNet => ("dotnet", "1.10.0", ".NET", "9.0.0"),
        Language::Rust => ("rust", "0.27.1", "rustc", "1.83.0"),
    };
    // A release makes new pods, so the name holds the version.
    let set = xxhash_rust::xxh3::xxh3_64(format!("{}-{version}", service.name).as_bytes()) & 0xffff_ffff;
    let pod = format!("{}-{set:08x}-{}", service.name, (b'a' + number as u8 % 26) as char);
    vec![
        text("service.name", service.name),
        text("service.version", version),
        text("service.namespace", "shop"),
        text("service.instance.id", &*pod),
        text("deployment.environment.name", "production"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.language", language),
        text("telemetry.sdk.version", sdk),
        text("process.runtime.name", runtime),
        text("process.runtime.version", runtime_version),
        text("k8s.namespace.name", "shop"),
        text("k8s.deployment.name", service.name),
        text("k8s.pod.name", &*pod),
        text("k8s.pod.ip", address(service, number)),
        text("k8s.node.name", format!("node-{}", number % 3 + 1)),
        text("host.name", pod),
        text("cloud.availability_zone", by.zone()),
        text("os.type", "linux"),
    ]
}
