//! Stack traces as each language prints them.

use super::facts::fill;
use super::shape::{Entry, Fault, Language, Operation};

/// The stack of a fault that an operation raised, several lines.
pub(super) fn stack(fault: &Fault, operation: &Operation) -> String {
    let service = operation.service.name.replace('-', "_");
    let method = method(operation);
    fill(template(operation.service.language), |name| {
        Some(match name {
            "type" => fault.exception.to_owned(),
            "message" => fault.message.to_owned(),
            "service" => service.clone(),
            "Service" => capitalised(&service),
            "method" => method.clone(),
            _ => return None,
        })
    })
}

fn method(operation: &Operation) -> String {
    match &operation.entry {
        Entry::Grpc { method, .. } | Entry::Dubbo { method, .. } => (*method).to_owned(),
        Entry::Job { .. } => "run".to_owned(),
        Entry::Message | Entry::Linked => "onMessage".to_owned(),
        Entry::Http { method, .. } | Entry::Gateway { method, .. } => {
            format!("handle{}", capitalised(&method.to_lowercase()))
        }
    }
}

fn capitalised(text: &str) -> String {
    text.split('_')
        .flat_map(|part| {
            let mut chars = part.chars();
            chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>())
        })
        .collect()
}

fn template(language: Language) -> &'static str {
    match language {
        Language::Java => {
            "{type}: {message}\n\tat com.shop.{service}.{Service}Service.{method}({Service}Service.java:118)\n\tat com.shop.{service}.{Service}Endpoint.{method}({Service}Endpoint.java:57)\n\tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)\n\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)"
        }
        Language::Go => {
            "{type}: {message}\n\ngoroutine 184 [running]:\nshop.example/{service}/internal/server.(*Server).{method}(0xc0004a2000)\n\t/src/internal/server/server.go:118 +0x1a4\nnet/http.HandlerFunc.ServeHTTP(...)\n\t/usr/local/go/src/net/http/server.go:2220"
        }
        Language::Node => {
            "{type}: {message}\n    at {method} (/app/dist/{service}/handlers.js:118:23)\n    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)\n    at async Layer.handle (/app/node_modules/router/lib/layer.js:152:17)"
        }
        Language::Python => {
            "Traceback (most recent call last):\n  File \"/app/{service}/main.py\", line 57, in {method}\n    result = await self.service.{method}(request)\n  File \"/app/{service}/service.py\", line 118, in {method}\n    return self.model.score(candidates)\n{type}: {message}"
        }
        Language::DotNet => {
            "{type}: {message}\n   at Shop.{Service}.{Service}Service.{method}(ServerCallContext context) in /src/{Service}Service.cs:line 118\n   at Grpc.Shared.Server.UnaryServerMethodInvoker`3.Invoke(HttpContext httpContext)"
        }
        Language::Rust => {
            "{type}: {message}\n   0: {service}::service::{method}\n             at src/service.rs:118\n   1: tonic::server::grpc::Grpc<T>::unary\n   2: tokio::runtime::task::harness::poll_future"
        }
    }
}
