//! Cells of made-up traces, and that their keys survive the way into the store.

use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z\u{4e00}-\u{4e20}:/.]{1,20}"]
}

fn place() -> impl Strategy<Value = Place> {
    let kind = prop_oneof![
        Just(PlaceKind::Service),
        Just(PlaceKind::Database),
        Just(PlaceKind::Topic),
        Just(PlaceKind::External),
        Just(PlaceKind::User),
        Just(PlaceKind::Unknown)
    ];
    (kind, text()).prop_map(|(kind, name)| Place { kind, name })
}

fn key() -> impl Strategy<Value = Key> {
    let edge = (place(), place(), text(), text(), text(), any::<bool>(), text());
    let edge = edge.prop_map(|(source, target, alias, protocol, operation, waits, environment)| {
        let mode = if waits { Mode::Sync } else { Mode::Async };
        Key::Edge { source, target, alias, protocol, operation, mode, environment }
    });
    let serve = (text(), text(), text(), text(), text());
    let serve = serve.prop_map(|(service, environment, version, operation, protocol)| Key::Serve {
        service,
        environment,
        version,
        operation,
        protocol,
    });
    let presence = (text(), text(), text(), text(), text(), text());
    let presence = presence.prop_map(|(service, namespace, environment, version, instance, language)| Key::Presence {
        service,
        namespace,
        environment,
        version,
        instance,
        language,
    });
    prop_oneof![edge, serve, presence]
}

proptest! {
    #[test]
    fn keys_survive(key in key()) {
        prop_assert_eq!(Key::decode(&key.encode()), Some(key));
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Some(key) = Key::decode(&bytes) {
            prop_assert_eq!(key.encode(), bytes);
        }
    }
}

#[test]
fn minutes_that_a_range_touches() {
    let minute = 60_000_000_000;
    assert_eq!(minutes(Range { from: 0, to: minute }), 0..1);
    assert_eq!(minutes(Range { from: minute - 1, to: minute + 1 }), 0..2);
}
