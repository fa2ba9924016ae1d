//! How a call ended, by flags, codes and texts.

use std::borrow::Cow;

use super::super::Outcome;
use super::super::rules::TextRule;

use Outcome::*;

/// A suffix of the name of a span that went well.
pub(in super::super) const NAME_SUFFIXES: &[(&str, Outcome)] = &[
    (".fallback", Fallback),                // Hystrix
    ("circuit-breaker fallback", Fallback), // Spring Cloud CircuitBreaker
];

/// Hystrix marks its spans with the state of the circuit. A command under this suffix was let through:
/// it tries whether the circuit may close.
pub(in super::super) const LET_THROUGH: &str = ".execute";

/// Envoy `response_flags` (several are joined by commas), most telling first.
pub(in super::super) const ENVOY_FLAGS: &[(&str, Outcome)] = &[
    ("UO", BreakerOpen),
    ("RL", Limited),
    ("OM", Shed),
    ("DO", Shed),
    ("URX", RetryExhausted),
    ("UH", NoInstance),
    ("NC", NoInstance),
    ("UT", Timeout),
    ("DT", Timeout),
    ("SI", Timeout),
    ("UMSDR", Timeout),
    ("UAEX", Denied),
    ("DC", Cancelled),
];

/// RPC status by number and by name. Numbers of gRPC (0–16) and Dubbo (20–100) do not meet.
/// Codes that are not here leave the answer to the span's own status.
pub(in super::super) const RPC_CODES: &[(i64, &str, Outcome)] = &[
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

pub(in super::super) const HTTP_CODES: &[(i64, Outcome)] = &[
    (401, Denied),
    (403, Denied),
    (407, Denied),
    (408, Timeout),
    (429, Limited),
    (499, Cancelled), // nginx: the client closed the request
    (504, Timeout),
];

const fn word(word: &'static str, outcome: Outcome) -> TextRule {
    TextRule { text: Cow::Borrowed(word), whole_word: true, outcome }
}

const fn phrase(phrase: &'static str, outcome: Outcome) -> TextRule {
    TextRule { text: Cow::Borrowed(phrase), whole_word: false, outcome }
}

/// What error texts say: exception and error types, their messages, the status message.
pub(in super::super) const TEXTS: &[TextRule] = &[
    // resilience4j; its exceptions are often wrapped, and then only the message is left
    word("CallNotPermittedException", BreakerOpen),
    phrase("OPEN and does not permit further calls", BreakerOpen),
    word("RequestNotPermitted", Limited),
    word("BulkheadFullException", Bulkhead),
    phrase("is full and does not permit further calls", Bulkhead),
    phrase("does not permit further calls", Limited),
    word("MaxRetriesExceededException", RetryExhausted),
    // Sentinel, in Java and Go
    word("FlowException", Limited),
    word("ParamFlowException", Limited),
    word("DegradeException", BreakerOpen),
    word("SystemBlockException", Shed),
    word("AuthorityException", Denied),
    phrase("Blocked by Sentinel", Limited),
    word("SentinelBlockException", Limited),
    word("BlockTypeFlowControl", Limited),
    word("BlockTypeHotSpotParamFlow", Limited),
    word("BlockTypeCircuitBreaking", BreakerOpen),
    word("BlockTypeIsolation", Bulkhead),
    word("BlockTypeSystem", Shed),
    // Hystrix, in Java and Go
    phrase("short-circuited and", BreakerOpen),
    phrase("could not be queued for execution", Bulkhead),
    phrase("could not acquire a semaphore for execution", Bulkhead),
    phrase("timed-out and", Timeout),
    word("HystrixTimeoutException", Timeout),
    phrase("hystrix: circuit open", BreakerOpen),
    phrase("hystrix: max concurrency", Bulkhead),
    phrase("hystrix: timeout", Timeout),
    // Polly
    word("BrokenCircuitException", BreakerOpen),
    word("IsolatedCircuitException", BreakerOpen),
    word("RateLimiterRejectedException", Limited),
    word("BulkheadRejectedException", Bulkhead),
    word("TimeoutRejectedException", Timeout),
    // Kitex; it calls a call that its caller gave up a timeout too
    phrase("forbidden by circuitbreaker", BreakerOpen),
    phrase("retry circuit break", BreakerOpen),
    phrase("request over limit", Limited),
    phrase("canceled by business", Cancelled),
    phrase("rpc timeout", Timeout),
    phrase("timeout by business", Timeout),
    phrase("no instance available", NoInstance),
    phrase("no more instances to retry", RetryExhausted),
    phrase("request forbidden", Denied),
    // rpcx
    phrase("breaker open", BreakerOpen),
    phrase("breaker time out", Timeout),
    phrase("request reached rate limit", Limited),
    phrase("can not found any server", NoInstance),
    phrase("selected server is unavailable", NoInstance),
    // go-zero
    phrase("breaker is open", BreakerOpen),
    phrase("service overloaded", Shed),
    // go-micro; a half-open gobreaker differs from the limiter by one letter
    phrase("\"detail\":\"too many requests\"", BreakerOpen),
    phrase("too many request", Limited),
    phrase("none available", NoInstance),
    // Dubbo, in Java and Go: the cause before the number of attempts, and one attempt is no retry
    phrase("exceed max service tps", Limited),
    phrase("The service using threads greater than", Limited),
    phrase("Waiting concurrent invoke timeout", Limited),
    phrase("No provider available", NoInstance),
    phrase("No provider is available", NoInstance),
    phrase("Thread pool is EXHAUSTED!", Shed),
    phrase("reach limitation", Shed),
    phrase("Waiting server-side response timeout", Timeout),
    phrase("Sending request timeout in client-side", Timeout),
    phrase("Invoke remote method timeout", Timeout),
    phrase("Tried 1 times of the providers", Error),
    phrase("times of the providers", RetryExhausted),
    // Motan
    phrase("active count exceed the limit", Limited),
    phrase("No referers for request", NoInstance),
    phrase("No available referers for call", NoInstance),
    phrase("error_code: 10002", Shed),
    phrase("error_code: 10003", Timeout),
    phrase("error_code: 10004", Cancelled),
    // Envoy's local answers
    phrase("no healthy upstream", NoInstance),
    phrase("reset reason: overflow", BreakerOpen),
    word("local_rate_limited", Limited),
    // Spring Cloud load balancer and Ribbon, opossum
    phrase("Unable to find instance for", NoInstance),
    phrase("No instances available for", NoInstance),
    phrase("Load balancer does not contain an instance", NoInstance),
    phrase("LoadBalancer does not contain an instance", NoInstance),
    phrase("Load balancer does not have available server", NoInstance),
    word("EOPENBREAKER", BreakerOpen),
    phrase("Breaker is open", BreakerOpen),
    // gRPC; a message that is too large has the code of a limit, but nobody limits calls
    phrase("message larger than max", Error),
    phrase("gRPC message exceeds maximum size", Error),
    word("RESOURCE_EXHAUSTED", Limited),
    word("ResourceExhausted", Limited),
    word("PERMISSION_DENIED", Denied),
    word("PermissionDenied", Denied),
    word("UNAUTHENTICATED", Denied),
    word("Unauthenticated", Denied),
    phrase("code = Canceled", Cancelled),
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
