//! What frameworks send, and what is made of it. Each fixture is one span as its framework emits it.

use super::*;

const INTERNAL: i32 = 1;

struct Fixture<'a> {
    span: Subject<'a>,
    attributes: &'a [(&'a str, Fact<'a>)],
    event_name: Option<&'a str>,
    event: &'a [(&'a str, &'a str)],
}

fn span(name: &str, kind: i32) -> Fixture<'_> {
    Fixture { span: Subject { name, kind, ..Subject::default() }, attributes: &[], event_name: None, event: &[] }
}

impl<'a> Fixture<'a> {
    fn with(mut self, attributes: &'a [(&'a str, Fact<'a>)]) -> Self {
        self.attributes = attributes;
        self
    }

    fn scope(mut self, scope: &'a str) -> Self {
        self.span.scope = scope;
        self
    }

    fn flags(mut self, flags: u32) -> Self {
        self.span.flags = flags;
        self
    }

    /// Under a parent; `flags` tell where that is.
    fn child(mut self, flags: u32) -> Self {
        self.span.has_parent = true;
        self.flags(flags)
    }

    fn says(mut self, event: &'a str) -> Self {
        self.event_name = Some(event);
        self
    }

    fn failed(mut self, message: &'a str) -> Self {
        self.span.status_code = 2;
        self.span.status_message = message;
        self
    }

    fn exception(mut self, event: &'a [(&'a str, &'a str)]) -> Self {
        self.event = event;
        self
    }

    fn read(&self) -> (Role, String, String, String, Outcome) {
        let mut facts = Facts::default();
        for (key, value) in self.attributes {
            if let Some(name) = Name::of(key.as_bytes()) {
                facts.attribute(name, *value);
            }
        }
        if let Some(name) = self.event_name {
            facts.event(name);
        }
        for (key, text) in self.event {
            facts.event_attribute(key.as_bytes(), Fact::Text(text));
        }
        let rules = Rules::default();
        let mut normaliser = Normaliser::new(&rules);
        let meaning = normaliser.read(&self.span, &facts);
        (
            meaning.role,
            meaning.peer.unwrap_or("-").into(),
            meaning.protocol.unwrap_or("-").into(),
            meaning.operation.into(),
            meaning.outcome,
        )
    }

    #[track_caller]
    fn means(&self, role: Role, peer: &str, protocol: &str, operation: &str, outcome: Outcome) {
        assert_eq!(self.read(), (role, peer.into(), protocol.into(), operation.into(), outcome), "{}", self.span.name);
    }

    #[track_caller]
    fn ends(&self, outcome: Outcome) {
        assert_eq!(self.read().4, outcome, "{}", self.span.name);
    }
}

use Fact::{Bool, Int, Text};

#[test]
fn grpc_old_and_new_names() {
    let old = [
        ("rpc.system", Text("grpc")),
        ("rpc.service", Text("shop.Cart")),
        ("rpc.method", Text("Add")),
        ("net.peer.name", Text("cart")),
        ("net.peer.port", Int(8080)),
        ("rpc.grpc.status_code", Int(4)),
    ];
    span("shop.Cart/Add", 3).with(&old).failed("").means(
        Role::Exit,
        "cart:8080",
        "grpc",
        "shop.Cart/Add",
        Outcome::Timeout,
    );
    let new = [
        ("rpc.system.name", Text("grpc")),
        ("rpc.method", Text("shop.Cart/Add")),
        ("server.address", Text("cart")),
        ("server.port", Int(8080)),
        ("rpc.response.status_code", Text("RESOURCE_EXHAUSTED")),
    ];
    span("shop.Cart/Add", 3).with(&new).failed("").means(
        Role::Exit,
        "cart:8080",
        "grpc",
        "shop.Cart/Add",
        Outcome::Limited,
    );
    span("x", 2).with(&old[3..5]).means(Role::Entry, "-", "-", "x", Outcome::Ok);
    span("x", 3).with(&[("rpc.connect_rpc.error_code", Text("permission_denied"))]).failed("").ends(Outcome::Denied);
    span("x", 3).with(&[("grpc.status_code", Text("0"))]).ends(Outcome::Ok);
    span("x", 3).with(&[("rpc.grpc.status_code", Int(14))]).failed("").ends(Outcome::Error);
}

#[test]
fn http_and_its_codes() {
    let get = [
        ("http.request.method", Text("GET")),
        ("http.route", Text("/items/{id}")),
        ("http.response.status_code", Int(200)),
        ("server.address", Text("shop.example")),
    ];
    span("GET /items/{id}", 2).with(&get).means(Role::Entry, "-", "http", "GET /items/{id}", Outcome::Ok);
    let old = [
        ("http.method", Text("POST")),
        ("http.url", Text("http://u:p@cart:7070/add?x=1")),
        ("http.status_code", Text("429")),
    ];
    span("HTTP POST", 3).with(&old).failed("").means(Role::Exit, "cart:7070", "http", "HTTP POST", Outcome::Limited);
    span("GET", 3).with(&[("http.status_code", Int(504))]).failed("").ends(Outcome::Timeout);
    span("GET", 2).with(&[("http.status_code", Int(503))]).ends(Outcome::Error);
    span("GET", 2).with(&[("http.status_code", Int(404))]).ends(Outcome::Ok);
}

#[test]
fn databases_are_told_apart_by_address_and_namespace() {
    let mysql = [
        ("db.system", Text("mysql")),
        ("db.name", Text("orders")),
        ("db.statement", Text("SELECT * FROM t WHERE id = 7")),
        ("db.sql.table", Text("t")),
        ("net.peer.name", Text("db-1")),
        ("net.peer.port", Text("3306")),
    ];
    span("SELECT orders", 3).with(&mysql).means(
        Role::Exit,
        "mysql://db-1:3306/orders",
        "mysql",
        "mysql SELECT t",
        Outcome::Ok,
    );
    let redis = [
        ("db.system.name", Text("redis")),
        ("db.namespace", Int(3)),
        ("db.operation.name", Text("GET")),
        ("peer.service", Text("cache")),
    ];
    span("GET", INTERNAL).with(&redis).means(Role::Exit, "redis://cache/3", "redis", "redis GET", Outcome::Ok);
    let sqlserver = [
        ("db.system", Text("mssql")),
        ("db.query.summary", Text("INSERT audit")),
        ("server.address", Text("::1")),
        ("server.port", Int(1433)),
    ];
    span("x", 3).with(&sqlserver).means(
        Role::Exit,
        "sqlserver://[::1]:1433",
        "sqlserver",
        "sqlserver INSERT audit",
        Outcome::Ok,
    );
}

#[test]
fn messaging_has_topics() {
    let kafka = [
        ("messaging.system", Text("kafka")),
        ("messaging.destination.name", Text("orders")),
        ("messaging.operation.type", Text("publish")),
        ("server.address", Text("broker")),
    ];
    span("orders publish", 4).with(&kafka).means(Role::Exit, "kafka:orders", "kafka", "publish orders", Outcome::Ok);
    span("orders process", 5).with(&kafka[..2]).means(
        Role::Entry,
        "kafka:orders",
        "kafka",
        "process orders",
        Outcome::Ok,
    );
    let reply = [
        ("messaging.system", Text("rabbitmq")),
        ("messaging.destination", Text("amq.gen-8fj3")),
        ("messaging.destination.temporary", Bool(true)),
    ];
    span("send", 4).with(&reply).means(
        Role::Exit,
        "rabbitmq:(temporary)",
        "rabbitmq",
        "publish (temporary)",
        Outcome::Ok,
    );
}

#[test]
fn dubbo_and_thrift() {
    let dubbo = [
        ("rpc.system", Text("apache_dubbo")),
        ("rpc.service", Text("com.shop.Stock")),
        ("rpc.method", Text("reserve")),
        ("server.address", Text("nacos://10.0.0.3:8848/com.shop.Stock:1.0:shop")),
    ];
    span("com.shop.Stock/reserve", 3)
        .with(&dubbo)
        .failed("No provider available for the service com.shop.Stock")
        .means(Role::Exit, "dubbo:com.shop.Stock", "dubbo", "com.shop.Stock/reserve", Outcome::NoInstance);
    let direct = [("rpc.system", Text("dubbo")), ("server.address", Text("10.0.0.9")), ("server.port", Int(20880))];
    span("s/m", 3).with(&direct).failed("Thread pool is EXHAUSTED! Pool Size: 200").means(
        Role::Exit,
        "10.0.0.9:20880",
        "dubbo",
        "s/m",
        Outcome::Shed,
    );
    let thrift = [("rpc.system", Text("apache_thrift")), ("error.type", Text("TIMED_OUT"))];
    span("Users/get", 3).with(&thrift).failed("").means(Role::Exit, "-", "thrift", "Users/get", Outcome::Timeout);
}

#[test]
fn rpcx_has_no_kind_and_no_address() {
    span("rpcx.client.Arith.Mul", INTERNAL).means(Role::Exit, "rpcx:Arith", "rpcx", "Arith/Mul", Outcome::Ok);
    span("rpcx.service.Arith.Mul", 2).means(Role::Entry, "-", "rpcx", "Arith/Mul", Outcome::Ok);
    span("rpcx.Register", INTERNAL).means(Role::Internal, "-", "rpcx", "rpcx.Register", Outcome::Ok);
    span("rpcx.client.A.B", INTERNAL).failed("breaker open").ends(Outcome::BreakerOpen);
    span("rpcx.client.A.B", INTERNAL).failed("request reached rate limit").ends(Outcome::Limited);
    span("rpcx.client.A.B", INTERNAL).failed("can not found any server").ends(Outcome::NoInstance);
}

#[test]
fn go_micro_has_no_attributes() {
    let scope = "github.com/micro/plugins/v5/wrapper/trace/opentelemetry";
    span("go.micro.srv.greeter.Say.Hello", 3).scope(scope).means(
        Role::Exit,
        "go.micro.srv.greeter",
        "go-micro",
        "go.micro.srv.greeter.Say.Hello",
        Outcome::Ok,
    );
    span("Pub to events", 3).scope(scope).means(
        Role::Exit,
        "go-micro:events",
        "go-micro",
        "Pub to events",
        Outcome::Ok,
    );
    span("Sub from events", 2).scope(scope).means(
        Role::Entry,
        "go-micro:events",
        "go-micro",
        "Sub from events",
        Outcome::Ok,
    );
    span("a.B.C", 3).failed("too many request").ends(Outcome::Limited);
    span("a.B.C", 3).failed("selector: none available").ends(Outcome::NoInstance);
}

#[test]
fn motan_is_told_by_the_flags() {
    span("Motan_user_query", 0).flags(0x300).means(Role::Entry, "-", "motan", "Motan_user_query", Outcome::Ok);
    let stock = "Motan_shop_rpc_com.shop.Stock.reserve(java.lang.String,int)";
    let read = |role, peer| (role, peer, "motan", "com.shop.Stock/reserve", Outcome::Ok);
    for (flags, (role, peer, protocol, operation, outcome)) in [
        (0x000, read(Role::Internal, "-")),
        (0x100, read(Role::Exit, "motan:com.shop.Stock")),
        (0x300, read(Role::Entry, "-")),
    ] {
        span(stock, 0).child(flags).means(role, peer, protocol, operation, outcome);
    }
    // a root may be a client, or a server whose caller is not traced
    span(stock, 0).flags(0x100).means(Role::Internal, "-", "motan", "com.shop.Stock/reserve", Outcome::Ok);
    span("Motan_user_query", 0).flags(0x100).means(Role::Internal, "-", "motan", "Motan_user_query", Outcome::Ok);
    let bridged = [("span.kind", Text("client")), ("peer.hostname", Text("10.1.1.1")), ("peer.port", Int(8002))];
    span("Motan_user_query", 0).with(&bridged).means(
        Role::Exit,
        "10.1.1.1:8002",
        "motan",
        "Motan_user_query",
        Outcome::Ok,
    );
}

#[test]
fn kitex_names_the_caller_on_a_server_span() {
    let kitex = [
        ("rpc.system", Text("kitex")),
        ("rpc.service", Text("Echo")),
        ("rpc.method", Text("Say")),
        ("peer.service", Text("front")),
    ];
    span("Say", 2).with(&kitex).means(Role::Entry, "front", "kitex", "Echo/Say", Outcome::Ok);
    for (message, outcome) in [
        ("forbidden by circuitbreaker", Outcome::BreakerOpen),
        ("request over limit: qps", Outcome::Limited),
        ("rpc timeout: timeout=1s", Outcome::Timeout),
        ("no instance available", Outcome::NoInstance),
    ] {
        span("Say", 3).with(&kitex).failed(message).ends(outcome);
    }
}

#[test]
fn envoy_speaks_in_flags() {
    let egress = [
        ("component", Text("proxy")),
        ("http.method", Text("POST")),
        ("peer.address", Text("10.244.1.9")),
        ("upstream_cluster", Text("outbound|7070||cart.shop.svc.cluster.local")),
        ("response_flags", Text("UF,URX")),
        ("http.status_code", Text("503")),
    ];
    span("cart.shop:7070/*", 3).with(&egress).means(
        Role::Exit,
        "cart.shop.svc.cluster.local:7070",
        "http",
        "cart.shop:7070/*",
        Outcome::RetryExhausted,
    );
    for (flags, outcome) in [
        ("UO", Outcome::BreakerOpen),
        ("RL", Outcome::Limited),
        ("UT", Outcome::Timeout),
        ("UH", Outcome::NoInstance),
        ("DC", Outcome::Cancelled),
        ("UAEX", Outcome::Denied),
        ("-", Outcome::Ok),
    ] {
        span("x", 3).with(&[("response_flags", Text(flags))]).ends(outcome);
    }
}

#[test]
fn fault_tolerance_libraries_throw() {
    for (class, message, outcome) in [
        ("io.github.resilience4j.circuitbreaker.CallNotPermittedException", "", Outcome::BreakerOpen),
        ("io.github.resilience4j.ratelimiter.RequestNotPermitted", "", Outcome::Limited),
        ("io.github.resilience4j.bulkhead.BulkheadFullException", "", Outcome::Bulkhead),
        ("com.alibaba.csp.sentinel.slots.block.flow.FlowException", "", Outcome::Limited),
        ("com.alibaba.csp.sentinel.slots.block.flow.param.ParamFlowException", "", Outcome::Limited),
        ("com.alibaba.csp.sentinel.slots.block.degrade.DegradeException", "", Outcome::BreakerOpen),
        ("com.alibaba.csp.sentinel.slots.system.SystemBlockException", "", Outcome::Shed),
        ("RuntimeException", "Blocked by Sentinel: FlowException", Outcome::Limited),
        ("HystrixRuntimeException", "OrderCommand short-circuited and no fallback available.", Outcome::BreakerOpen),
        ("com.acme.WorkFlowException", "no such step", Outcome::Error),
        ("java.net.SocketTimeoutException", "Read timed out", Outcome::Timeout),
        ("*errors.errorString", "circuit breaker is open and requests dropped", Outcome::BreakerOpen),
        ("*fmt.wrapError", "call: context canceled", Outcome::Cancelled),
    ] {
        span("call", 3)
            .failed("")
            .exception(&[("exception.type", class), ("exception.message", message)])
            .ends(outcome);
    }
}

#[test]
fn motan_tells_failures_in_names_of_events() {
    for (said, outcome) in [
        ("request success.", Outcome::Ok),
        ("request fail.error_message: provider error, status: 503, error_code: 30001,r=1", Outcome::Error),
        ("request fail.error_message: service request timeout, status: 503, error_code: 10003,r=1", Outcome::Timeout),
        (
            "request fail.error_message: ThreadProtectedFilter reject request: request_counter=9, status: 503, error_code: 10002,r=1",
            Outcome::Shed,
        ),
        ("request fail.SentinelBlockException: FlowException", Outcome::Limited),
    ] {
        span("Motan_g_com.shop.Stock.reserve(void)", 0).says(said).ends(outcome);
    }
}

#[test]
fn hystrix_marks_the_state_of_the_circuit() {
    let open = [("hystrix.circuit_open", Bool(true))];
    let closed = [("hystrix.circuit_open", Bool(false))];
    span("Stock.Reserve.fallback", INTERNAL).ends(Outcome::Fallback);
    span("Stock.Reserve.fallback", INTERNAL).with(&closed).ends(Outcome::Fallback);
    span("Stock.Reserve.fallback", INTERNAL).with(&open).ends(Outcome::BreakerOpen);
    // a half-open circuit lets one command through: it was not refused
    span("Stock.Reserve.execute", INTERNAL).with(&open).ends(Outcome::Ok);
    let none = [
        ("exception.type", "java.lang.UnsupportedOperationException"),
        ("exception.message", "No fallback available."),
    ];
    span("Stock.Reserve.fallback", INTERNAL).failed("").exception(&none).ends(Outcome::Error);
    span("circuit-breaker fallback", INTERNAL).ends(Outcome::Fallback);
}

#[test]
fn interfaces_stand_for_peers_without_an_address() {
    let go = [
        ("rpc.system", Text("apache_dubbo")),
        ("rpc.service", Text("shop/com.shop.Stock:1.0")),
        ("rpc.method", Text("reserve")),
    ];
    span("reserve", 3).with(&go).means(
        Role::Exit,
        "dubbo:com.shop.Stock",
        "dubbo",
        "com.shop.Stock/reserve",
        Outcome::Ok,
    );
    let new = [("rpc.system.name", Text("grpc")), ("rpc.method", Text("shop.Cart/Add"))];
    span("shop.Cart/Add", 3).with(&new).means(Role::Exit, "grpc:shop.Cart", "grpc", "shop.Cart/Add", Outcome::Ok);
    let registered = [("rpc.system", Text("kitex")), ("rpc.service", Text("echo")), ("rpc.method", Text("Say"))];
    span("Echo/Say", 3).with(&registered).means(Role::Exit, "echo", "kitex", "echo/Say", Outcome::Ok);
    let scope = "grpc-go";
    span("Attempt.shop.Cart.Add", 1).scope(scope).means(
        Role::Exit,
        "grpc:shop.Cart",
        "grpc",
        "shop.Cart/Add",
        Outcome::Ok,
    );
    span("Attempt..shop.Cart.Add", 1).scope(scope).means(
        Role::Exit,
        "grpc:shop.Cart",
        "grpc",
        "shop.Cart/Add",
        Outcome::Ok,
    );
    span("Attempt.to.park", INTERNAL).means(Role::Internal, "-", "-", "Attempt.to.park", Outcome::Ok);
}

#[test]
fn common_words_are_believed_beside_a_url() {
    let server = [
        ("exception", Text("none")),
        ("http.url", Text("/orders/7")),
        ("method", Text("GET")),
        ("outcome", Text("CLIENT_ERROR")),
        ("status", Text("429")),
        ("uri", Text("/orders/{id}")),
    ];
    span("http get /orders/{id}", 2).with(&server).means(
        Role::Entry,
        "-",
        "http",
        "GET /orders/{id}",
        Outcome::Limited,
    );
    let client = [
        ("client.name", Text("stock")),
        ("exception", Text("ResourceAccessException")),
        ("http.url", Text("http://stock:8080/stock/7")),
        ("method", Text("GET")),
        ("status", Text("IO_ERROR")),
        ("uri", Text("none")),
    ];
    span("http get", 3).with(&client).failed("I/O error on GET request: Read timed out").means(
        Role::Exit,
        "stock:8080",
        "http",
        "http get",
        Outcome::Timeout,
    );
    let business = [("status", Text("503")), ("method", Text("card")), ("exception", Text("TimeoutException"))];
    span("pay", INTERNAL).with(&business).means(Role::Internal, "-", "-", "pay", Outcome::Ok);
}

#[test]
fn gateways_name_their_route() {
    let route = |uri| {
        [("http.method", Text("GET")), ("http.status_code", Text("200")), ("spring.cloud.gateway.route.uri", Text(uri))]
    };
    span("HTTP GET", 3).with(&route("lb://orders")).means(Role::Exit, "orders", "http", "HTTP GET", Outcome::Ok);
    let address = route("http://10.0.0.7:8080/v1");
    span("HTTP GET", 3).with(&address).means(Role::Exit, "10.0.0.7:8080", "http", "HTTP GET", Outcome::Ok);
    span("HTTP GET", 2).with(&address).means(Role::Entry, "-", "http", "HTTP GET", Outcome::Ok);
}

#[test]
fn a_message_too_large_is_not_a_limit_on_calls() {
    let large = [("rpc.grpc.status_code", Int(8))];
    span("x", 3)
        .with(&large)
        .failed("grpc: received message larger than max (5242880 vs. 4194304)")
        .ends(Outcome::Error);
    span("x", 3).with(&large).failed("quota of the tenant is used up").ends(Outcome::Limited);
}

#[test]
fn one_attempt_is_no_retry() {
    let said = |times: &str, last: &str| {
        format!(
            "Failed to invoke the method reserve. Tried {times} times of the providers [10.0.0.9]. Last error is: {last}"
        )
    };
    for (times, last, outcome) in [
        ("3", "connection refused", Outcome::RetryExhausted),
        ("1", "connection refused", Outcome::Error),
        ("3", "Waiting server-side response timeout by scan timer.", Outcome::Timeout),
    ] {
        span("s/m", 3).failed(&said(times, last)).ends(outcome);
    }
}

#[test]
fn rules_of_the_user_are_asked_first() {
    let name = NameRule {
        scope: "".into(),
        prefix: "acme.call.".into(),
        protocol: "acme".into(),
        side: Side::Exit,
        rest: Rest::DottedMethod,
    };
    let text = TextRule { text: "库存服务限流".into(), whole_word: false, outcome: Outcome::Limited };
    let rules = Rules::with(vec![name], vec![text]).expect("rules");
    let subject = Subject {
        name: "acme.call.Stock.reserve",
        status_code: 2,
        status_message: "timeout: 库存服务限流",
        ..Subject::default()
    };
    let (mut normaliser, facts) = (Normaliser::new(&rules), Facts::default());
    let meaning = normaliser.read(&subject, &facts);
    assert_eq!((meaning.role, meaning.peer, meaning.outcome), (Role::Exit, Some("acme:Stock"), Outcome::Limited));
}

#[test]
fn a_handled_exception_is_not_a_failure() {
    let thrown = [("exception.type", "java.util.concurrent.TimeoutException")];
    let mut handled = span("call", 3).exception(&thrown);
    handled.span.status_code = 1;
    handled.ends(Outcome::Ok);
    span("call", 3).exception(&thrown).ends(Outcome::Timeout);
    span("call", 3).with(&[("error", Text("true"))]).ends(Outcome::Error);
}
