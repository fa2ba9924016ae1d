//! Requests of several tenants: each to its own sink, none to another's, none at the cost of another's.

use prost::Message;
use proto::otlp::messages::collector::trace::v1::trace_service_client::TraceServiceClient;
use proto::rpc::{Code, Status, TENANT_HEADER};

use super::http::{PROTOBUF, Reply, send};
use super::*;

async fn server(settings: Settings) -> (Server, Arc<Recorder>) {
    let (mut sinks, acme) = (Tenants::only(recorder()), recorder());
    sinks.add("acme".parse().expect("an id"), acme.clone());
    (Server::of(settings, sinks).await, acme)
}

async fn post(server: &Server, tenants: &[&str], number: usize) -> Reply {
    let named = tenants.iter().map(|tenant| (TENANT_HEADER, *tenant));
    let headers: Vec<_> = [("Content-Type", PROTOBUF)].into_iter().chain(named).collect();
    send(server.http, "POST", "/v1/traces", &headers, &spans(number, 0).encode_to_vec()).await
}

#[tokio::test]
async fn a_request_goes_to_the_sink_of_its_tenant_alone() {
    let (server, acme) = server(Settings::default()).await;
    for (tenants, number) in [(&[][..], 1), (&["default"][..], 2), (&["acme"][..], 4), (&["acme", "acme"][..], 8)] {
        assert_eq!(post(&server, tenants, number).await.status, 200, "{tenants:?}");
    }
    let of_acme: usize = acme.taken.lock().await.iter().map(|(_, rows)| rows).sum();
    assert_eq!((server.rows().await, of_acme), (3, 12));
}

#[tokio::test]
async fn a_tenant_that_is_not_declared_is_refused_for_good() {
    let (server, acme) = server(Settings::default()).await;
    for (tenants, status, says) in [
        (&["umbrella"][..], 403, "declare it as [tenants.umbrella]"),
        (&["../acme"][..], 403, "no id of a tenant"),
        (&[""][..], 403, "no id of a tenant"),
        (&["acme", "default"][..], 400, "two tenants"),
    ] {
        let reply = post(&server, tenants, 1).await;
        assert_eq!((reply.status, reply.header("retry-after")), (status, None), "{tenants:?}");
        let message = Status::decode(&*reply.body).expect("a status").message;
        assert!(message.contains(says), "{tenants:?}: {message}");
    }
    assert_eq!((server.rows().await, acme.taken.lock().await.len()), (0, 0));
    assert_eq!(server.counters.refused_bad.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn metadata_of_a_call_names_its_tenant() {
    let (server, acme) = server(Settings::default()).await;
    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc)).await.expect("listening");
    let mut call = async |tenant: &str| {
        let mut request = tonic::Request::new(spans(1, 0));
        request.metadata_mut().insert(TENANT_HEADER, tenant.parse().expect("ASCII"));
        client.export(request).await.map(drop).map_err(|status| (status.code(), status.message().to_owned()))
    };
    assert_eq!(call("acme").await, Ok(()));
    let (code, message) = call("umbrella").await.expect_err("not declared");
    assert_eq!(code, Code::PermissionDenied);
    assert!(message.contains("[tenants.umbrella]"), "{message}");
    assert_eq!((server.rows().await, acme.taken.lock().await.len()), (0, 1));
}

#[tokio::test]
async fn a_tenant_that_fills_its_part_does_not_hold_up_the_others() {
    let settings = Settings { budget_bytes: 256 << 10, ..Settings::default() };
    let (server, acme) = server(settings).await;
    acme.gate.forget_permits(1000);
    let stuck = async |number| assert_eq!(post(&server, &["acme"], number).await.status, 200);
    let others = async {
        soon(async {
            while acme.asked.load(Ordering::Relaxed) < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        assert_eq!(post(&server, &["acme"], 3).await.status, 503, "its part is half, two requests");
        assert_eq!(post(&server, &[], 4).await.status, 200, "the other half is free");
        acme.gate.add_permits(1000);
    };
    tokio::join!(stuck(1), stuck(2), others);
    assert_eq!(post(&server, &["acme"], 3).await.status, 200);
}
