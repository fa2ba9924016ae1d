//! Which layer of the system a service belongs to, told by who calls it and whom it calls.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Of, View};
use crate::rollup::{Cells, PlaceKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// Where users come in (网关): it forwards and keeps no data.
    Gateway,
    /// Puts together what several services answer (聚合服务).
    Aggregate,
    /// Answers by itself and from its own data (基础服务).
    Basic,
    /// Serves most of the others (公共服务).
    Platform,
    Other,
}

/// Where a layer is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    Inferred,
    /// The configuration file.
    File,
}

impl Layer {
    pub const ALL: [Layer; 5] = [Layer::Gateway, Layer::Aggregate, Layer::Basic, Layer::Platform, Layer::Other];

    /// As the API and the configuration write it.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Gateway => "gateway",
            Layer::Aggregate => "aggregate",
            Layer::Basic => "basic",
            Layer::Platform => "platform",
            Layer::Other => "other",
        }
    }
}

/// Fewest calls, served and made, that a layer is inferred from.
pub const MIN_CALLS: u64 = 20;
/// A gateway has at least this share of its calls from users.
pub const GATEWAY_USER_SHARE: f64 = 0.8;
/// A gateway forwards a call to one service: calls to services for each call served. What it refuses it
/// does not forward; what it tries again, or has authorised first, makes two.
pub const GATEWAY_FORWARDS: std::ops::RangeInclusive<f64> = 0.5..=1.5;
/// A platform service is called by at least this share of the other services …
pub const PLATFORM_CALLER_SHARE: f64 = 0.5;
/// … and by so many.
pub const PLATFORM_CALLERS: usize = 3;
/// Two callees are each called for at least this share of an aggregate's calls …
pub const AGGREGATE_CALLEE_SHARE: f64 = 0.25;
/// … and the shares of all callees, each counted up to 1, make at least this: they do where half of the
/// calls need two services. Cells do not know which calls go together.
pub const AGGREGATE_TOTAL_SHARE: f64 = 1.0;
/// A basic service calls services for at most this share of its calls.
pub const BASIC_EXIT_SHARE: f64 = 0.05;

/// Systems that hold copies, not data of record: a gateway may have one.
const CACHES: [&str; 4] = ["redis", "memcached", "valkey", "hazelcast"];

/// The layer of each service. One with fewer than [`MIN_CALLS`] calls that no override names has none.
pub fn layers(cells: &Cells, overrides: &BTreeMap<String, Layer>) -> BTreeMap<String, (Layer, Source)> {
    of_view(&View::new(cells), overrides)
}

pub(crate) fn of_view(view: &View<'_>, overrides: &BTreeMap<String, Layer>) -> BTreeMap<String, (Layer, Source)> {
    let others = view.services.len().saturating_sub(1);
    let layer = |name: &str, of: &Of<'_>| match overrides.get(name) {
        Some(layer) => Some((*layer, Source::File)),
        None => infer(of, others).map(|layer| (layer, Source::Inferred)),
    };
    view.services.iter().filter_map(|(name, of)| Some(((*name).to_owned(), layer(name, of)?))).collect()
}

fn infer(of: &Of<'_>, others: usize) -> Option<Layer> {
    let served: u64 = of.into.iter().map(|edge| edge.calls()).sum();
    let mut callees: BTreeMap<&str, u64> = BTreeMap::new();
    for edge in of.out.iter().filter(|edge| edge.target.kind == PlaceKind::Service) {
        *callees.entry(edge.target.name).or_default() += edge.calls();
    }
    let made: u64 = callees.values().sum();
    if served + made < MIN_CALLS {
        return None;
    }
    let per_call = |calls: u64| if served > 0 { calls as f64 / served as f64 } else { 0.0 };
    let from = |kind| of.into.iter().filter(move |edge| edge.source.kind == kind);
    let by_users: u64 = from(PlaceKind::User).map(|edge| edge.calls()).sum();
    let forwards = GATEWAY_FORWARDS.contains(&per_call(made)) && !keeps_data(of);
    if per_call(by_users) >= GATEWAY_USER_SHARE && forwards {
        return Some(Layer::Gateway);
    }
    let callers: BTreeSet<&str> = from(PlaceKind::Service).map(|edge| edge.source.name.as_str()).collect();
    if callers.len() >= PLATFORM_CALLERS && callers.len() as f64 >= PLATFORM_CALLER_SHARE * others as f64 {
        return Some(Layer::Platform);
    }
    let shares: Vec<f64> = callees.values().map(|calls| per_call(*calls).min(1.0)).collect();
    let sizeable = shares.iter().filter(|share| **share >= AGGREGATE_CALLEE_SHARE).count();
    if sizeable >= 2 && shares.iter().sum::<f64>() >= AGGREGATE_TOTAL_SHARE {
        return Some(Layer::Aggregate);
    }
    Some(if served > 0 && per_call(made) <= BASIC_EXIT_SHARE { Layer::Basic } else { Layer::Other })
}

fn keeps_data(of: &Of<'_>) -> bool {
    let system = |name: &str| name.split_once("://").map_or(name, |(system, _)| system).to_owned();
    let databases = of.out.iter().filter(|edge| edge.target.kind == PlaceKind::Database);
    databases.into_iter().any(|edge| !CACHES.contains(&system(edge.target.name).as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, database, service, user};
    use super::*;

    fn told(made: &Made) -> BTreeMap<String, Layer> {
        layers(&made.cells(), &BTreeMap::new()).into_iter().map(|(name, (layer, _))| (name, layer)).collect()
    }

    /// Users come by the gateway to shop, which asks cart and stock; all three log in at auth.
    fn shop() -> Made {
        let mut made = Made::default();
        made.edge(0, user(), service("gateway"), 100);
        made.edge(0, service("gateway"), service("shop"), 95);
        made.edge(0, service("shop"), service("cart"), 80);
        made.edge(0, service("shop"), service("stock"), 60);
        made.edge(0, service("cart"), database("mysql://db:3306/cart"), 80);
        for caller in ["shop", "cart", "stock"] {
            made.edge(0, service(caller), service("auth"), 2);
        }
        made.edge(0, service("stock"), service("auth"), 30);
        for name in ["gateway", "shop", "cart", "stock", "auth"] {
            made.presence(0, name, "1", "i1", 1);
        }
        made
    }

    #[test]
    fn a_shop_has_layers() {
        let told = told(&shop());
        let of = |name: &str| told.get(name).copied();
        assert_eq!(of("gateway"), Some(Layer::Gateway));
        assert_eq!(of("shop"), Some(Layer::Aggregate));
        assert_eq!(of("cart"), Some(Layer::Basic));
        assert_eq!(of("auth"), Some(Layer::Platform));
        assert_eq!(of("stock"), Some(Layer::Other), "it calls one service for half of its calls");
    }

    #[test]
    fn what_keeps_data_is_no_gateway_but_a_cache_is_allowed() {
        let mut made = shop();
        made.edge(0, service("gateway"), database("redis://cache:6379/0"), 100);
        assert_eq!(told(&made)["gateway"], Layer::Gateway);
        made.edge(0, service("gateway"), database("mysql://db:3306/gw"), 100);
        assert_eq!(told(&made)["gateway"], Layer::Other);
    }

    #[test]
    fn what_users_reach_past_the_gateway_or_fans_out_is_no_gateway() {
        let mut made = shop();
        made.edge(0, user(), service("cart"), 400);
        assert_eq!(told(&made)["cart"], Layer::Basic, "it forwards nothing");
        made.edge(0, service("gateway"), service("stock"), 60);
        assert_eq!(told(&made)["gateway"], Layer::Aggregate, "1.55 calls for each that it serves");
    }

    #[test]
    fn few_calls_tell_nothing_and_the_file_tells_all() {
        let mut made = Made::default();
        made.edge(0, user(), service("cart"), MIN_CALLS - 1);
        made.presence(0, "cart", "1", "i1", 5);
        assert_eq!(told(&made), BTreeMap::new());
        let file = BTreeMap::from([("cart".to_owned(), Layer::Platform), ("none".to_owned(), Layer::Basic)]);
        let told = layers(&made.cells(), &file);
        assert_eq!(told, BTreeMap::from([("cart".to_owned(), (Layer::Platform, Source::File))]));
        made.edge(1, user(), service("cart"), 1);
        assert_eq!(self::told(&made)["cart"], Layer::Basic);
    }

    #[test]
    fn calls_that_nobody_answered_count_for_whom_they_were_meant() {
        let mut made = Made::default();
        made.edge(0, service("shop"), Place::new(PlaceKind::External, "cart"), 30);
        made.edge(0, user(), service("shop"), 100);
        made.presence(0, "shop", "1", "i1", 1);
        assert_eq!(told(&made)["shop"], Layer::Basic, "an external host is no service");
        made.presence(0, "cart", "1", "i1", 1);
        assert_eq!(told(&made)["shop"], Layer::Other);
    }

    use crate::rollup::Place;
}
