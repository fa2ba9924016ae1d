//! What a trace is about: who orders what for how much. Texts name these as `{order}`.

use proto::otlp::make::{double, int, text};
use proto::otlp::messages::common::v1::KeyValue;
use rand::Rng;
use rand::rngs::SmallRng;

/// One customer's doing.
pub(super) struct Facts {
    user: u32,
    order: u64,
    sku: u32,
    /// Hundredths.
    amount: u32,
    n: u32,
    count: u32,
    tail: u32,
    ip: [u8; 2],
    keyword: &'static str,
    channel: &'static str,
    agent: &'static str,
}

const KEYWORDS: &[&str] =
    &["机械键盘", "保温杯", "跑步鞋", "显示器", "running shoes", "coffee grinder", "蓝牙耳机", "monitor arm"];
const CHANNELS: &[&str] = &["alipay", "wechatpay", "unionpay"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "ShopApp/5.3.0 (Android 15)",
];

impl Facts {
    pub(super) fn new(dice: &mut SmallRng) -> Self {
        fn one_of(from: &[&'static str], dice: &mut SmallRng) -> &'static str {
            from.get(dice.random_range(0..from.len())).copied().unwrap_or_default()
        }
        Self {
            user: dice.random_range(10_000..13_000),
            order: dice.random_range(7_200_000_000..7_300_000_000),
            sku: dice.random_range(1_000..1_400),
            amount: dice.random_range(990..250_000),
            n: dice.random_range(1..6),
            count: dice.random_range(4..25),
            tail: dice.random_range(0..10_000),
            ip: dice.random(),
            keyword: one_of(KEYWORDS, dice),
            channel: one_of(CHANNELS, dice),
            agent: one_of(AGENTS, dice),
        }
    }

    pub(super) fn agent(&self) -> &'static str {
        self.agent
    }

    /// The value of a name, as text.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        Some(match name {
            "user" | "user_id" => format!("u{}", self.user),
            "order" => format!("SO{}", self.order),
            "id" | "sku" => format!("SKU-{}", self.sku),
            "amount" => format!("{}.{:02}", self.amount / 100, self.amount % 100),
            "n" => self.n.to_string(),
            "count" => self.count.to_string(),
            "tail" => format!("{:04}", self.tail),
            "ip" => format!("203.0.{}.{}", self.ip[0], self.ip[1]),
            "keyword" => self.keyword.to_owned(),
            "channel" => self.channel.to_owned(),
            _ => return None,
        })
    }

    /// The value of a name with its type, under a key that a program would give it.
    pub(super) fn attribute(&self, name: &str) -> Option<KeyValue> {
        Some(match name {
            "amount" => double("amount", f64::from(self.amount) / 100.0),
            "n" => int("quantity", self.n.into()),
            "count" => int("count", self.count.into()),
            "user" => text("user.id", self.get("user")?),
            "order" => text("order.id", self.get("order")?),
            _ => text(name, self.get(name)?),
        })
    }
}

/// Fills in `{name}`; `value` is asked for every one. What has no value stays as it stands.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let filled = after.split_once('}').and_then(|(name, after)| Some((value(name)?, after)));
        match filled {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_others_stay() {
        let value = |name: &str| (name == "a").then(|| "1".to_owned());
        assert_eq!(fill("x {a}, {b} {\"a\":{a}} {", value), "x 1, {b} {\"a\":1} {");
    }
}
