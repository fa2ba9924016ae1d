//! Whom a span speaks with, in which protocol, about what.

use super::table::{DOTTED_NAMES, NameRule, PROTOCOLS, Rest, SCOPES};
use super::{Facts, Role, Slot, Subject, kind};

/// A destination that exists for one conversation only would make a node for each.
const TEMPORARY: &str = "(temporary)";

/// An explicit system first (a database, a broker, an RPC framework), then what only that protocol
/// sets, then the names of spans and scopes.
pub(super) fn protocol<'a>(span: &Subject<'a>, facts: &Facts<'a>, rule: Option<&'static NameRule>) -> Option<&'a str> {
    let system = [Slot::DbSystem, Slot::MessagingSystem, Slot::RpcSystem].iter().find_map(|slot| facts.text(*slot));
    if let Some(system) = system {
        return Some(PROTOCOLS.iter().find(|(name, _)| *name == system).map_or(system, |(_, known)| known));
    }
    if let Some(rule) = rule {
        return Some(rule.protocol);
    }
    if facts.has(Slot::RpcStatus) {
        return Some("grpc");
    }
    if facts.has(Slot::HttpMethod) || facts.has(Slot::HttpStatus) {
        return Some("http");
    }
    SCOPES.iter().find(|(part, _)| span.scope.contains(part)).map(|(_, protocol)| *protocol)
}

pub(super) fn write_peer(
    out: &mut String,
    role: Role,
    protocol: Option<&str>,
    span: &Subject<'_>,
    facts: &Facts<'_>,
    rule: Option<&NameRule>,
) {
    if role == Role::Internal {
        return;
    }
    if let Some(topic) = topic(span, facts, rule) {
        return push(out, &[protocol.unwrap_or("topic"), ":", topic]);
    }
    if role == Role::Entry {
        // On a server span `server.address` is the span's own; `peer.service` is the caller (Kitex).
        return out.push_str(facts.text(Slot::PeerService).unwrap_or_default());
    }
    if facts.has(Slot::DbSystem) {
        return write_database(out, protocol.unwrap_or_default(), facts);
    }
    if let Some(service) = facts.text(Slot::PeerService) {
        return out.push_str(service);
    }
    if let Some(Rest::ServiceDotMethod) = rule.map(|rule| rule.rest) {
        if let Some((service, _)) = rest(span, rule).and_then(|rest| rest.rsplit_once('.')) {
            push(out, &[protocol.unwrap_or_default(), ":", service]);
        }
        return;
    }
    write_address(out, protocol, facts);
    if out.is_empty() && protocol.is_some_and(|protocol| DOTTED_NAMES.contains(&protocol)) {
        // `service.Endpoint.Method`; the service's own name may have dots.
        out.push_str(span.name.rsplitn(3, '.').nth(2).unwrap_or_default());
    }
}

pub(super) fn write_operation(
    out: &mut String,
    protocol: Option<&str>,
    span: &Subject<'_>,
    facts: &Facts<'_>,
    rule: Option<&NameRule>,
) {
    if facts.is_empty() && rule.is_none() {
        return;
    }
    if facts.has(Slot::DbSystem) {
        write_query(out, protocol.unwrap_or_default(), facts);
    } else if let Some(destination) = destination(facts) {
        let verb = facts.text(Slot::MessagingOperation).unwrap_or(match span.kind {
            kind::PRODUCER => "publish",
            kind::CONSUMER => "process",
            _ => "message",
        });
        push(out, &[verb, " ", destination]);
    } else if let Some(method) = facts.text(Slot::RpcMethod) {
        match facts.text(Slot::RpcService) {
            Some(service) if !method.contains('/') => push(out, &[service, "/", method]),
            _ => out.push_str(method.strip_prefix('/').unwrap_or(method)),
        }
    } else if let (Some(method), Some(route)) = (facts.text(Slot::HttpMethod), facts.text(Slot::HttpRoute)) {
        push(out, &[method, " ", route]);
    } else if rule.is_some_and(|rule| rule.rest == Rest::ServiceDotMethod)
        && let Some((service, method)) = rest(span, rule).and_then(|rest| rest.rsplit_once('.'))
    {
        push(out, &[service, "/", method]);
    }
}

/// `system://host:port/namespace`, as far as it is known: the identity of a database (governance: own
/// database) is where it is and which of its namespaces is used.
fn write_database(out: &mut String, system: &str, facts: &Facts<'_>) {
    push(out, &[system, "://"]);
    let at = out.len();
    write_address(out, None, facts);
    if out.len() == at {
        out.push_str(facts.text(Slot::PeerService).unwrap_or_default());
    }
    match (facts.text(Slot::DbNamespace), facts.int(Slot::DbNamespace)) {
        (Some(namespace), _) => push(out, &["/", namespace]),
        (None, Some(index)) => push(out, &["/", &index.to_string()]), // Redis databases are numbers
        (None, None) => {}
    }
}

/// `host:port` by the best evidence there is. A Dubbo registry's URL is where the address was found,
/// not whom was called: there the interface is the peer.
fn write_address(out: &mut String, protocol: Option<&str>, facts: &Facts<'_>) {
    if let Some(host) = facts.text(Slot::PeerHost) {
        if let Some((_, registry)) = host.split_once("://") {
            let interface = registry.split_once('/').and_then(|(_, path)| path.split(':').next());
            let interface = interface.filter(|name| !name.is_empty()).or(facts.text(Slot::RpcService));
            return push(out, &[protocol.unwrap_or("registry"), ":", interface.unwrap_or(registry)]);
        }
        return write_host(out, host, facts.int(Slot::PeerPort));
    }
    if let Some((host, port)) = facts.text(Slot::UpstreamCluster).and_then(istio_host) {
        return push(out, &[host, ":", port]);
    }
    if let Some(authority) = facts.text(Slot::Url).and_then(authority) {
        return out.push_str(authority);
    }
    if let Some(ip) = facts.text(Slot::PeerIp) {
        write_host(out, ip, facts.int(Slot::PeerIpPort).or(facts.int(Slot::PeerPort)));
    }
}

fn write_host(out: &mut String, host: &str, port: Option<i64>) {
    match port {
        Some(port) if host.contains(':') && !host.starts_with('[') => push(out, &["[", host, "]:", &port.to_string()]),
        Some(port) => push(out, &[host, ":", &port.to_string()]),
        None => out.push_str(host),
    }
}

/// Istio names Envoy clusters `outbound|9090|subset|host`; an inbound one is the service itself.
fn istio_host(cluster: &str) -> Option<(&str, &str)> {
    let mut parts = cluster.split(['|', ';']);
    match (parts.next()?, parts.next()?, parts.next()?, parts.next()?) {
        ("outbound", port, _, host) if !host.is_empty() => Some((host, port)),
        _ => None,
    }
}

/// `host:port` of an absolute URL, without credentials.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty()).then_some(host)
}

/// The topic of a messaging span.
fn topic<'a>(span: &Subject<'a>, facts: &Facts<'a>, rule: Option<&NameRule>) -> Option<&'a str> {
    match rule {
        Some(rule) if rule.rest == Rest::Topic => rest(span, Some(rule)),
        _ if facts.has(Slot::MessagingSystem) => destination(facts),
        _ => None,
    }
}

fn destination<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    if facts.is_true(Slot::MessagingTemporary) { Some(TEMPORARY) } else { facts.text(Slot::MessagingDestination) }
}

/// What follows the prefix of a known span name.
fn rest<'a>(span: &Subject<'a>, rule: Option<&NameRule>) -> Option<&'a str> {
    span.name.strip_prefix(rule?.prefix).filter(|rest| !rest.is_empty())
}

/// `system OPERATION collection`. Where only the query is known, its first word is the operation:
/// the query itself has too many values.
fn write_query(out: &mut String, system: &str, facts: &Facts<'_>) {
    out.push_str(system);
    if let Some(summary) = facts.text(Slot::DbSummary) {
        return push(out, &[" ", summary]);
    }
    if let Some(operation) = facts.text(Slot::DbOperation).or_else(|| facts.text(Slot::DbQuery).and_then(verb)) {
        push(out, &[" ", operation]);
    }
    if let Some(collection) = facts.text(Slot::DbCollection) {
        push(out, &[" ", collection]);
    }
}

fn verb(query: &str) -> Option<&str> {
    let word = query.split_whitespace().next()?;
    (word.len() <= 20 && word.bytes().all(|b| b.is_ascii_alphabetic())).then_some(word)
}

fn push(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}
