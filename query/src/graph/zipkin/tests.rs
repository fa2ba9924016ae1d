//! The linker's rules one by one, and that it links in any order and never loops.

use proptest::prelude::*;

use super::testing::side;
use super::*;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

fn told(sides: &[Side], names: &Names) -> Vec<(String, String, bool)> {
    let text = |name| names.text(name).to_owned();
    links(sides, names).into_iter().map(|(parent, child, failed)| (text(parent), text(child), failed)).collect()
}

fn link(parent: &str, child: &str, failed: bool) -> (String, String, bool) {
    (parent.to_owned(), child.to_owned(), failed)
}

#[test]
fn a_shared_id_is_one_call_with_the_servers_name() {
    let mut names = Names::default();
    let client = Side { error: true, ..side(&mut names, 1, None, CLIENT, "web", "guess") };
    let server = side(&mut names, 1, None, SERVER, "app", "");
    let expected = [link("web", "app", false)];
    assert_eq!(told(&[client, Side { shared: true, ..server }], &names), expected);
    // Without the flag, too.
    assert_eq!(told(&[server, client], &names), expected);
}

#[test]
fn messages_link_through_their_broker_only() {
    let mut names = Names::default();
    let producer = side(&mut names, 1, None, PRODUCER, "p", "kafka");
    let consumer = side(&mut names, 2, Some(1), CONSUMER, "c", "kafka");
    assert_eq!(told(&[producer, consumer], &names), [link("p", "kafka", false), link("kafka", "c", false)]);
    let plain = [side(&mut names, 1, None, PRODUCER, "p", ""), side(&mut names, 2, Some(1), CONSUMER, "c", "")];
    assert_eq!(told(&plain, &names), []);
}

#[test]
fn calls_below_spans_without_a_kind_belong_to_the_nearest_that_has_one() {
    let mut names = Names::default();
    let sides = [
        side(&mut names, 1, None, SERVER, "foo", ""),
        side(&mut names, 2, Some(1), 1, "", ""),
        Side { error: true, ..side(&mut names, 3, Some(2), CLIENT, "bar", "baz") },
    ];
    assert_eq!(told(&sides, &names), [link("foo", "bar", false), link("bar", "baz", true)]);
}

#[test]
fn orphans_of_a_missing_root_do_not_call_each_other() {
    let mut names = Names::default();
    let sides = [side(&mut names, 2, Some(1), SERVER, "a", ""), side(&mut names, 3, Some(1), SERVER, "b", "")];
    assert_eq!(told(&sides, &names), []);
}

#[test]
fn a_client_that_failed_fails_the_call_that_its_child_tells_of() {
    let mut names = Names::default();
    let sides = [
        Side { status: 2, ..side(&mut names, 1, None, CLIENT, "a", "") },
        side(&mut names, 2, Some(1), SERVER, "b", ""),
    ];
    assert_eq!(told(&sides, &names), [link("a", "b", true)]);
}

proptest! {
    #[test]
    fn any_spans_in_any_order_give_the_same_links(
        spans in prop::collection::vec((0u64..6, prop::option::of(0u64..6), 0i32..7, "[ab]?", "[ab]?", any::<bool>()), 0..12)
    ) {
        let mut names = Names::default();
        // Equal ids of equal kind and service are one span: which piece's parent counts is then a matter of order.
        let mut seen = std::collections::HashSet::new();
        let mut sides: Vec<Side> = Vec::new();
        for (id, parent, kind, service, remote, shared) in spans {
            if seen.insert(id) {
                sides.push(Side { shared, ..side(&mut names, id, parent, kind, &service, &remote) });
            }
        }
        let mut one = told(&sides, &names);
        sides.reverse();
        let mut other = told(&sides, &names);
        one.sort();
        other.sort();
        prop_assert!(one.len() <= 2 * sides.len());
        prop_assert_eq!(one, other);
    }
}
