//! What the services do: the call graph of the shop, callees first.

use super::super::marks::Mark::{CallCycle, DeepChain, Everyday, NPlusOne, RetryStorm, SharedDatabase, Timeout};
use super::super::shape::Level::{Debug, Info, Warn};
use super::super::shape::When::{Begins, Succeeds};
use super::super::shape::{
    Entry, Latency, Line, Operation, Query, Service, Step, Store, Topic, call, ms, or_fallback, retried, says,
};
use super::chain::PRICE;
use super::services::*;

pub(super) const fn query(
    store: &'static Store,
    verb: &'static str,
    collection: &'static str,
    text: &'static str,
    took: f64,
) -> Query {
    Query { store, verb, collection, text, took: ms(took) }
}

pub(super) const fn operation(
    service: &'static Service,
    entry: Entry,
    own: f64,
    steps: &'static [Step],
    says: &'static [Line],
) -> Operation {
    Operation { service, entry, own: ms(own), steps, says }
}

pub(super) const fn http(method: &'static str, route: &'static str) -> Entry {
    Entry::Http { method, route }
}

pub(super) const fn routed(method: &'static str, route: &'static str, id: &'static str) -> Entry {
    Entry::Gateway { method, route, id }
}

pub(super) const fn grpc(service: &'static str, method: &'static str) -> Entry {
    Entry::Grpc { service, method }
}

pub(super) const fn dubbo(interface: &'static str, method: &'static str) -> Entry {
    Entry::Dubbo { interface, method }
}

// catalog: Go, gRPC, MySQL, Redis, Elasticsearch

pub(super) static PRODUCT_CACHED: Query = query(&CATALOG_CACHE, "GET", "", "GET product:?", 0.6);
pub(super) static PRODUCT_CACHE_SET: Query = query(&CATALOG_CACHE, "SETEX", "", "SETEX product:? 300 ?", 0.7);
pub(super) static PRODUCT_BY_ID: Query =
    query(&CATALOG_DB, "SELECT", "products", "SELECT id, sku, title, price, stock FROM products WHERE id = ?", 3.2);
pub(super) static PRODUCT_LIST: Query = query(
    &CATALOG_DB,
    "SELECT",
    "products",
    "SELECT id, sku, title, price FROM products WHERE category = ? ORDER BY rank LIMIT 24",
    6.5,
);
pub(super) static PRODUCT_SEARCH: Query =
    query(&CATALOG_SEARCH, "search", "products", r#"{"query":{"match":{"title":"?"}},"size":24}"#, 14.0);

const CATALOG_SERVICE: &str = "shop.catalog.v1.CatalogService";

pub(super) static GET_PRODUCT: Operation = operation(
    &CATALOG,
    grpc(CATALOG_SERVICE, "GetProduct"),
    0.9,
    &[
        Step::Ask(&PRODUCT_CACHED),
        Step::With(&[Everyday], &Step::Sometimes(0.3, &Step::Ask(&PRODUCT_BY_ID))),
        Step::With(&[Everyday], &Step::Sometimes(0.3, &Step::Ask(&PRODUCT_CACHE_SET))),
    ],
    &[Line { share: 0.2, ..says(Succeeds, Debug, "product loaded sku={sku}") }],
);
pub(super) static LIST_PRODUCTS: Operation = operation(
    &CATALOG,
    grpc(CATALOG_SERVICE, "ListProducts"),
    1.4,
    &[Step::Ask(&PRODUCT_LIST)],
    &[Line { share: 0.3, fields: &["user", "count"], ..says(Succeeds, Info, "listed products") }],
);
pub(super) static SEARCH_PRODUCTS: Operation = operation(
    &CATALOG,
    grpc(CATALOG_SERVICE, "SearchProducts"),
    1.8,
    &[Step::Ask(&PRODUCT_SEARCH), Step::Work("rank results", ms(2.2))],
    &[says(Succeeds, Info, "搜索完成，关键词 {keyword}，命中 {count} 条")],
);

// cart: .NET, gRPC, Redis

pub(super) static CART_READ: Query = query(&CART_CACHE, "HGETALL", "", "HGETALL cart:?", 0.8);
pub(super) static CART_WRITE: Query = query(&CART_CACHE, "HSET", "", "HSET cart:? ? ?", 0.7);

pub(super) static GET_CART: Operation =
    operation(&CART, grpc("shop.cart.v1.Cart", "GetCart"), 0.8, &[Step::Ask(&CART_READ)], &[]);
pub(super) static ADD_ITEM: Operation = operation(
    &CART,
    grpc("shop.cart.v1.Cart", "AddItem"),
    1.1,
    &[Step::Ask(&CART_READ), call(&GET_PRODUCT), Step::Ask(&CART_WRITE)],
    &[says(Succeeds, Info, "购物车已更新，用户 {user}，商品 {sku}")],
);
pub(super) static EMPTY_CART: Operation =
    operation(&CART, grpc("shop.cart.v1.Cart", "EmptyCart"), 0.6, &[Step::Ask(&CART_WRITE)], &[]);

// user: Java, Dubbo, MySQL, Redis

pub(super) static SESSION: Query = query(&USER_CACHE, "GET", "", "GET session:?", 0.5);
pub(super) static USER_BY_NAME: Query =
    query(&USER_DB, "SELECT", "users", "SELECT id, name, password_hash, level FROM users WHERE name = ?", 2.8);
pub(super) static ADDRESS: Query =
    query(&USER_DB, "SELECT", "addresses", "SELECT * FROM addresses WHERE user_id = ?", 2.1);

const USER_FACADE: &str = "com.shop.user.api.UserFacade";

pub(super) static VERIFY_SESSION: Operation =
    operation(&USER, dubbo(USER_FACADE, "verifySession"), 0.5, &[Step::Ask(&SESSION)], &[]);
pub(super) static GET_USER: Operation =
    operation(&USER, dubbo(USER_FACADE, "getUser"), 0.9, &[Step::Ask(&SESSION), Step::Ask(&ADDRESS)], &[]);
pub(super) static LOGIN: Operation = operation(
    &USER,
    dubbo(USER_FACADE, "login"),
    2.0,
    &[Step::Ask(&USER_BY_NAME), Step::Work("BCrypt.checkpw", Latency { median: 58.0, sigma: 0.08 })],
    &[says(Succeeds, Info, "用户 {user} 登录成功，来源 IP {ip}")],
);

// inventory: Java, Dubbo behind Sentinel, MySQL

pub(super) static RESERVE_STOCK: Query = query(
    &INVENTORY_DB,
    "UPDATE",
    "stock",
    "UPDATE stock SET reserved = reserved + ? WHERE sku = ? AND available >= ?",
    4.1,
);

pub(super) static RESERVE: Operation = operation(
    &INVENTORY,
    dubbo("com.shop.inventory.api.InventoryFacade", "reserve"),
    1.2,
    &[Step::Times(1, 3, &Step::Ask(&RESERVE_STOCK))],
    &[
        says(Succeeds, Info, "库存预占成功，商品 {sku}，数量 {n}"),
        Line { share: 0.05, ..says(Succeeds, Warn, "商品 {sku} 库存低于安全线，剩余 {n}") },
    ],
);

// payment: Java, HTTP, PostgreSQL, a bank outside

pub(super) static PAYMENT_INSERT: Query = query(
    &PAYMENT_DB,
    "INSERT",
    "payments",
    "INSERT INTO payments (id, order_id, amount, currency, state) VALUES ($1, $2, $3, $4, $5)",
    3.6,
);
pub(super) static PAYMENT_UPDATE: Query =
    query(&PAYMENT_DB, "UPDATE", "payments", "UPDATE payments SET state = $1 WHERE id = $2", 2.9);

pub(super) static CHARGE: Operation = operation(
    &PAYMENT,
    http("POST", "/payments"),
    2.4,
    &[Step::Ask(&PAYMENT_INSERT), Step::Outside(&BANK), Step::Ask(&PAYMENT_UPDATE)],
    &[
        says(Begins, Info, "开始支付，订单 {order}，金额 {amount} 元"),
        Line { fields: &["order", "amount", "channel"], ..says(Succeeds, Info, "payment captured") },
    ],
);

// shipping: Rust, gRPC, PostgreSQL, a carrier outside

pub(super) static SHIPMENT_INSERT: Query = query(
    &SHIPPING_DB,
    "INSERT",
    "shipments",
    "INSERT INTO shipments (order_id, carrier, eta) VALUES ($1, $2, $3)",
    2.7,
);

pub(super) static QUOTE: Operation =
    operation(&SHIPPING, grpc("shop.shipping.v1.Shipping", "Quote"), 0.3, &[Step::Outside(&CARRIER)], &[]);
pub(super) static SHIP: Operation = operation(
    &SHIPPING,
    grpc("shop.shipping.v1.Shipping", "Ship"),
    0.4,
    &[Step::Ask(&SHIPMENT_INSERT)],
    &[says(Succeeds, Info, "shipment created order={order} carrier=sf-express")],
);

// recommendation: Python, HTTP, MongoDB, and one call a product

pub(super) static PROFILE: Query =
    query(&RECOMMENDATION_DB, "find", "profiles", r#"{"find":"profiles","filter":{"user":"?"}}"#, 4.4);

pub(super) static RECOMMEND: Operation = operation(
    &RECOMMENDATION,
    http("GET", "/recommendations/{user_id}"),
    3.5,
    &[
        Step::Ask(&PROFILE),
        Step::Work("score candidates", ms(7.5)),
        Step::Either(&[Everyday], &Step::Times(2, 4, &call(&GET_PRODUCT)), &Step::Times(3, 3, &call(&GET_PRODUCT))),
        Step::With(&[Everyday], &Step::Sometimes(0.12, &Step::Times(12, 20, &call(&GET_PRODUCT)))),
        Step::With(&[NPlusOne], &Step::Times(12, 20, &call(&GET_PRODUCT))),
    ],
    &[Line { share: 0.4, ..says(Succeeds, Info, "recommended {count} items to user {user}") }],
);

// order: Java, Dubbo, MySQL, Kafka

pub(super) static ORDER_INSERT: Query = query(
    &ORDER_DB,
    "INSERT",
    "orders",
    "INSERT INTO orders (id, user_id, total, state, created_at) VALUES (?, ?, ?, ?, ?)",
    4.8,
);
pub(super) static ORDER_BY_ID: Query = query(&ORDER_DB, "SELECT", "orders", "SELECT * FROM orders WHERE id = ?", 2.2);
pub(super) static ORDER_ITEMS: Query =
    query(&ORDER_DB, "SELECT", "order_items", "SELECT * FROM order_items WHERE order_id = ?", 2.4);
pub(super) static ORDER_ITEM: Query =
    query(&ORDER_DB, "SELECT", "order_items", "SELECT * FROM order_items WHERE id = ?", 2.4);
pub(super) static ORDER_PAID: Query =
    query(&ORDER_DB, "UPDATE", "orders", "UPDATE orders SET state = ? WHERE id = ?", 3.9);

pub(super) static ORDER_CREATED: Topic = Topic { name: "order.created", consumers: &[&FULFIL] };
pub(super) static NOTIFICATIONS: Topic = Topic { name: "notification.requested", consumers: &[&NOTIFY] };

const ORDER_FACADE: &str = "com.shop.order.api.OrderFacade";

pub(super) static CREATE_ORDER: Operation = operation(
    &ORDER,
    dubbo(ORDER_FACADE, "createOrder"),
    2.2,
    &[Step::With(&[CallCycle], &call(&CONFIRM)), Step::Ask(&ORDER_INSERT), Step::Publish(&ORDER_CREATED)],
    &[
        says(Succeeds, Info, "订单创建成功，订单号 {order}，用户 {user}"),
        Line { share: 0.5, fields: &["order", "user", "amount"], ..says(Succeeds, Info, "order event published") },
    ],
);
pub(super) static GET_ORDER: Operation = operation(
    &ORDER,
    dubbo(ORDER_FACADE, "getOrder"),
    1.0,
    &[
        Step::Ask(&ORDER_BY_ID),
        Step::Either(&[NPlusOne], &Step::Times(30, 40, &Step::Ask(&ORDER_ITEM)), &Step::Ask(&ORDER_ITEMS)),
    ],
    &[],
);
/// Inventory confirms what order asks it to, and asks order what that was.
pub(super) static CONFIRM: Operation = operation(
    &INVENTORY,
    dubbo("com.shop.inventory.api.InventoryFacade", "confirm"),
    1.0,
    &[call(&GET_ORDER), Step::Ask(&RESERVE_STOCK)],
    &[],
);

// order-worker and notification: behind the queues

pub(super) static TASK_DONE: Query =
    query(&WORKER_DB, "UPDATE", "fulfilments", "UPDATE fulfilments SET state = ? WHERE order_id = ?", 3.9);
pub(super) static TASKS: Query =
    query(&WORKER_DB, "SELECT", "fulfilments", "SELECT * FROM fulfilments WHERE state = ? LIMIT 500", 9.0);

const MARK_PAID: Step = Step::Either(&[Everyday, SharedDatabase], &Step::Ask(&ORDER_PAID), &Step::Ask(&TASK_DONE));

pub(super) static FULFIL: Operation = operation(
    &ORDER_WORKER,
    Entry::Message,
    3.0,
    &[MARK_PAID, call(&SHIP), Step::Publish(&NOTIFICATIONS)],
    &[
        says(Begins, Info, "收到消息 order.created，订单号 {order}"),
        Line { share: 0.5, ..says(Succeeds, Info, "order {order} handed to shipping") },
    ],
);
pub(super) static NOTIFY: Operation = operation(
    &NOTIFICATION,
    Entry::Linked,
    2.0,
    &[Step::Outside(&SMS)],
    &[says(Succeeds, Info, "短信已发送，订单 {order}，手机号 138****{tail}")],
);
pub(super) static SETTLE: Operation = operation(
    &ORDER_WORKER,
    Entry::Job { name: "SettlementJob.run" },
    12.0,
    &[
        Step::Work("collect unsettled orders", ms(18.0)),
        Step::Either(&[Everyday], &Step::Times(24, 48, &Step::Ask(&ORDER_ITEMS)), &Step::Ask(&TASKS)),
        MARK_PAID,
    ],
    &[
        says(Begins, Info, "结算任务开始"),
        Line { fields: &["count", "amount"], ..says(Succeeds, Info, "settlement finished") },
    ],
);

// checkout: Go, HTTP, the widest fan-out

pub(super) static PLACE_ORDER: Operation = operation(
    &CHECKOUT,
    http("POST", "/checkout"),
    2.6,
    &[
        call(&GET_CART),
        Step::Together(&[
            call(&GET_USER),
            retried(&RESERVE, 2, 800.0),
            or_fallback(&QUOTE, 400.0, "shipping.flatRate.fallback"),
        ]),
        Step::Work("price order", ms(1.6)),
        Step::With(&[DeepChain], &call(&PRICE)),
        Step::Either(&[Timeout], &retried(&CHARGE, 1, 900.0), &retried(&CHARGE, 3, 900.0)),
        call(&CREATE_ORDER),
        call(&EMPTY_CART),
    ],
    &[
        says(Begins, Info, "checkout started user={user} cart_items={n}"),
        says(Succeeds, Info, "下单完成，订单号 {order}，总价 {amount} 元"),
    ],
);

// api-gateway: Java, Spring Cloud Gateway. It asks catalog and the like over gRPC as their edge.

pub(super) static GW_PRODUCTS: Operation =
    operation(&GATEWAY, routed("GET", "/api/products", "catalog-list"), 0.9, &[call(&LIST_PRODUCTS)], ACCESS);
pub(super) static GW_PRODUCT: Operation =
    operation(&GATEWAY, routed("GET", "/api/products/{id}", "catalog-get"), 0.8, &[call(&GET_PRODUCT)], ACCESS);
pub(super) static GW_SEARCH: Operation =
    operation(&GATEWAY, routed("GET", "/api/search", "catalog-search"), 0.9, &[call(&SEARCH_PRODUCTS)], ACCESS);
pub(super) static GW_RECOMMEND: Operation = operation(
    &GATEWAY,
    routed("GET", "/api/recommendations", "recommendation"),
    0.8,
    &[or_fallback(&RECOMMEND, 250.0, "RecommendationCommand.fallback")],
    ACCESS,
);
pub(super) static GW_CART: Operation = operation(
    &GATEWAY,
    routed("POST", "/api/cart/items", "cart"),
    0.9,
    &[call(&VERIFY_SESSION), call(&ADD_ITEM)],
    ACCESS,
);
pub(super) static GW_ORDERS: Operation = operation(
    &GATEWAY,
    routed("POST", "/api/orders", "checkout"),
    1.1,
    &[
        call(&VERIFY_SESSION),
        Step::Either(
            &[Timeout],
            // Sooner than checkout gives up on payment.
            &retried(&PLACE_ORDER, 1, 800.0),
            &Step::Either(&[RetryStorm], &retried(&PLACE_ORDER, 3, 5_000.0), &retried(&PLACE_ORDER, 1, 5_000.0)),
        ),
    ],
    ACCESS,
);
pub(super) static GW_ORDER: Operation = operation(
    &GATEWAY,
    routed("GET", "/api/orders/{id}", "order"),
    0.8,
    &[call(&VERIFY_SESSION), call(&GET_ORDER)],
    ACCESS,
);
pub(super) static GW_LOGIN: Operation =
    operation(&GATEWAY, routed("POST", "/api/login", "user"), 0.9, &[call(&LOGIN)], ACCESS);

pub(super) const ACCESS: &[Line] = &[Line { share: 0.3, ..says(Succeeds, Info, "{method} {path} {ip}") }];
