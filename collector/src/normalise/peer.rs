//! Whom a span speaks with, in which protocol, about what.

use std::fmt::Write;

use super::rules::{NameRule, Rest};
use super::table::names::{DOTTED_NAMES, NO_CLUSTERS, PROTOCOLS, REGISTERED_NAMES, SCOPES};
use super::{Facts, Role, Slot, Subject, kind};

/// A destination that exists for one conversation only would make a node for each.
const TEMPORARY: &str = "(temporary)";

/// An explicit system first (a database, a broker, an RPC framework), then what only that protocol
/// sets, then the names of spans and scopes.
pub(super) fn protocol<'a>(span: &Subject<'a>, facts: &Facts<'a>, rule: Option<&'a NameRule>) -> Option<&'a str> {
    let system = [Slot::DbSystem, Slot::MessagingSystem, Slot::RpcSystem].iter().find_map(|slot| facts.text(*slot));
    if let Some(system) = system {
        return Some(PROTOCOLS.iter().find(|(name, _)| *name == system).map_or(system, |(_, known)| known));
    }
    if let Some(rule) = rule {
        return Some(&rule.protocol);
    }
    if facts.has(Slot::RpcStatus) {
        return Some("grpc");
    }
    if [Slot::HttpMethod, Slot::HttpStatus, Slot::Url].iter().any(|slot| facts.has(*slot)) {
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
    write_address(out, protocol, facts);
    if out.is_empty() {
        write_service(out, protocol, span, facts, rule);
    }
}

/// Whom an exit calls where no address is known: a name that callees may bear, or the interface, which
/// the service graph learns to be a service's from calls that were answered.
fn write_service(
    out: &mut String,
    protocol: Option<&str>,
    span: &Subject<'_>,
    facts: &Facts<'_>,
    rule: Option<&NameRule>,
) {
    let Some(protocol) = protocol else { return };
    if DOTTED_NAMES.contains(&protocol) {
        // `service.Endpoint.Method`; the service's own name may have dots.
        return out.push_str(span.name.rsplitn(3, '.').nth(2).unwrap_or_default());
    }
    let named = rpc_service(facts).or_else(|| rule?.method(span.name).map(|(service, _)| service));
    match named {
        Some(service) if REGISTERED_NAMES.contains(&protocol) => out.push_str(service),
        Some(service) => push(out, &[protocol, ":", interface(service)]),
        None => {}
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
            Some(service) if !method.contains('/') => push(out, &[interface(service), "/", method]),
            _ => out.push_str(method.strip_prefix('/').unwrap_or(method)),
        }
    } else if let (Some(method), Some(route)) = (facts.http_text(Slot::HttpMethod, Slot::PlainMethod), route(facts)) {
        push(out, &[method, " ", route]);
    } else if let Some((service, method)) = rule.and_then(|rule| rule.method(span.name)) {
        push(out, &[service, "/", method]);
    }
}

/// Micrometer writes words such as `UNKNOWN` and `none` where it knows no template.
fn route<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let plain = || facts.http_text(Slot::HttpRoute, Slot::PlainUri).filter(|uri| uri.starts_with('/'));
    facts.text(Slot::HttpRoute).or_else(plain)
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
        (None, Some(index)) => {
            // Redis databases are numbers.
            out.push('/');
            push_number(out, index);
        }
        (None, None) => {}
    }
}

/// `host:port` by the best evidence there is. A Dubbo registry's URL is where the address was found,
/// not whom was called: there the interface is the peer.
fn write_address(out: &mut String, protocol: Option<&str>, facts: &Facts<'_>) {
    if let Some(host) = facts.text(Slot::PeerHost) {
        if let Some((_, registry)) = host.split_once("://") {
            let service = registry.split_once('/').map(|(_, path)| path).filter(|path| !path.is_empty());
            let service = service.or_else(|| rpc_service(facts)).map_or(registry, interface);
            return push(out, &[protocol.unwrap_or("registry"), ":", service]);
        }
        return write_host(out, host, facts.int(Slot::PeerPort));
    }
    if let Some(route) = facts.text(Slot::RouteUri).and_then(authority) {
        // `lb://cart` names a service, `http://cart:7070` an address.
        return out.push_str(route);
    }
    match facts.text(Slot::UpstreamCluster).map(cluster) {
        Some(Cluster::Host(host, port)) => return push(out, &[host, ":", port]),
        Some(Cluster::Name(name)) => return out.push_str(name),
        Some(Cluster::Nobody) | None => {}
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
        Some(port) => {
            match host.contains(':') && !host.starts_with('[') {
                true => push(out, &["[", host, "]:"]),
                false => push(out, &[host, ":"]),
            }
            push_number(out, port);
        }
        None => out.push_str(host),
    }
}

/// Whom an Envoy cluster stands for.
enum Cluster<'a> {
    Host(&'a str, &'a str),
    Name(&'a str),
    Nobody,
}

/// Istio names clusters `outbound|9090|subset|host`; an inbound one is the service itself.
fn cluster(name: &str) -> Cluster<'_> {
    let mut parts = name.split(['|', ';']);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("outbound"), Some(port), Some(_), Some(host)) if !host.is_empty() => Cluster::Host(host, port),
        (Some("outbound" | "inbound"), Some(_), ..) => Cluster::Nobody,
        _ if NO_CLUSTERS.contains(&name) => Cluster::Nobody,
        _ => Cluster::Name(name),
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
        Some(rule) if rule.rest == Rest::Topic => rule.rest(span.name),
        _ if facts.has(Slot::MessagingSystem) => destination(facts),
        _ => None,
    }
}

fn destination<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    if facts.is_true(Slot::MessagingTemporary) { Some(TEMPORARY) } else { facts.text(Slot::MessagingDestination) }
}

/// The service of an RPC; newer names have it as a part of the method.
fn rpc_service<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let of_method = || facts.text(Slot::RpcMethod)?.rsplit_once('/').map(|(service, _)| service);
    let service = facts.text(Slot::RpcService).or_else(of_method)?;
    Some(service.trim_start_matches('/')).filter(|service| !service.is_empty())
}

/// Dubbo in Go writes `group/interface:version`: the interface is what both sides agree on.
fn interface(service: &str) -> &str {
    let name = service.rsplit_once('/').map_or(service, |(_, name)| name);
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    if name.is_empty() { service } else { name }
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

fn push_number(out: &mut String, number: i64) {
    write!(out, "{number}").expect("a String takes every write");
}
