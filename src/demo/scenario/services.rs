//! Who there is: services, stores, and those outside.

use super::super::shape::{Language, Outside, Service, Store, ms};

pub(super) const fn service(
    name: &'static str,
    version: &'static str,
    language: Language,
    instances: u32,
    port: u16,
) -> Service {
    Service { name, version, language, instances, port, old_names: false }
}

pub(super) static WEB: Service = service("web", "3.2.1", Language::Node, 2, 3000);
pub(super) static GATEWAY: Service = service("api-gateway", "2.1.0", Language::Java, 2, 8080);
pub(super) static CATALOG: Service = service("catalog", "1.12.3", Language::Go, 3, 9090);
pub(super) static CART: Service = service("cart", "2.0.4", Language::DotNet, 2, 9090);
pub(super) static USER: Service = service("user", "1.8.0", Language::Java, 2, 20880);
pub(super) static CHECKOUT: Service = service("checkout", "2.6.1", Language::Go, 3, 8080);
pub(super) static ORDER: Service = service("order", "1.9.2", Language::Java, 3, 20880);
pub(super) static PAYMENT: Service = service("payment", "1.4.0", Language::Java, 3, 8080);
pub(super) static INVENTORY: Service = service("inventory", "1.3.7", Language::Java, 2, 20880);
pub(super) static SHIPPING: Service = service("shipping", "0.9.0", Language::Rust, 2, 9090);
pub(super) static RECOMMENDATION: Service =
    Service { old_names: true, ..service("recommendation", "0.7.5", Language::Python, 2, 8000) };
pub(super) static ORDER_WORKER: Service = service("order-worker", "1.9.2", Language::Java, 2, 8080);
pub(super) static NOTIFICATION: Service = service("notification", "1.1.0", Language::Python, 2, 8000);

const fn store(system: &'static str, host: &'static str, port: u16, namespace: &'static str) -> Store {
    Store { system, host, port, namespace }
}

pub(super) static CATALOG_DB: Store = store("mysql", "catalog-mysql", 3306, "catalog");
pub(super) static CATALOG_CACHE: Store = store("redis", "catalog-redis", 6379, "0");
pub(super) static CATALOG_SEARCH: Store = store("elasticsearch", "search-es", 9200, "shop");
pub(super) static CART_CACHE: Store = store("redis", "cart-redis", 6379, "1");
pub(super) static USER_DB: Store = store("mysql", "user-mysql", 3306, "user");
pub(super) static USER_CACHE: Store = store("redis", "user-redis", 6379, "0");
pub(super) static ORDER_DB: Store = store("mysql", "order-mysql", 3306, "orders");
pub(super) static WORKER_DB: Store = store("mysql", "fulfilment-mysql", 3306, "fulfilment");
pub(super) static PAYMENT_DB: Store = store("postgresql", "payment-pg", 5432, "payment");
pub(super) static INVENTORY_DB: Store = store("mysql", "inventory-mysql", 3306, "inventory");
pub(super) static SHIPPING_DB: Store = store("postgresql", "shipping-pg", 5432, "shipping");
pub(super) static RECOMMENDATION_DB: Store = store("mongodb", "reco-mongo", 27017, "reco");

pub(super) static BANK: Outside =
    Outside { host: "api.unionbank.example", method: "POST", path: "/v2/charges", took: ms(85.0) };
pub(super) static CARRIER: Outside =
    Outside { host: "rates.carrier.example", method: "GET", path: "/v1/quote", took: ms(42.0) };
pub(super) static SMS: Outside = Outside { host: "sms.push.example", method: "POST", path: "/send", took: ms(55.0) };
