//! Tenants: ids that keep data apart, and what there is one of for each.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Whose data it is: `a-z`, `0-9`, `-` and `_`, at most 64 characters, the first a letter or a digit. So it is a
/// directory's name as it stands, and never one that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// A request is of no tenant of this process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    #[error("`{0}` is no id of a tenant: it has 1 to 64 of a-z, 0-9, `-` and `_`, the first a letter or a digit")]
    Malformed(String),
    #[error("there is no tenant `{0}` here: declare it as [tenants.{0}] in the configuration file")]
    Undeclared(TenantId),
    #[error("the request names two tenants")]
    Conflicting,
}

impl TenantId {
    const DEFAULT: &str = "default";
    const LONGEST: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the tenant of requests that name none.
    pub fn is_default(&self) -> bool {
        &*self.0 == Self::DEFAULT
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl FromStr for TenantId {
    type Err = TenantError;

    fn from_str(text: &str) -> Result<Self, TenantError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good =
            text.len() <= Self::LONGEST && text.as_bytes().first().is_some_and(first) && text.bytes().all(allowed);
        let shown = || text.chars().take(Self::LONGEST).collect();
        if good { Ok(Self(text.into())) } else { Err(TenantError::Malformed(shown())) }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of something for each tenant; there always is the default tenant's.
#[derive(Clone, Debug)]
pub struct Tenants<T> {
    /// The default tenant's is the first.
    all: Vec<(TenantId, T)>,
}

impl<T> Tenants<T> {
    /// Where no tenants are declared.
    pub fn only(default: T) -> Self {
        Self { all: vec![(TenantId::default(), default)] }
    }

    /// Adds a declared tenant's; `id` is not there yet.
    pub fn add(&mut self, id: TenantId, one: T) {
        debug_assert!(self.get(&id).is_none(), "{id} twice");
        self.all.push((id, one));
    }

    /// How many there are, with the default tenant.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    pub fn of_default(&self) -> &T {
        &self.all.first().expect("the default tenant's is never taken away").1
    }

    pub fn get(&self, id: &TenantId) -> Option<&T> {
        self.all.iter().find(|(known, _)| known == id).map(|(_, one)| one)
    }

    /// The default tenant first.
    pub fn iter(&self) -> impl Iterator<Item = (&TenantId, &T)> {
        self.all.iter().map(|(id, one)| (id, one))
    }

    pub fn map<U>(&self, mut make: impl FnMut(&TenantId, &T) -> U) -> Tenants<U> {
        Tenants { all: self.all.iter().map(|(id, one)| (id.clone(), make(id, one))).collect() }
    }

    /// Whose a request is that names its tenant with these values; without any it is the default tenant's.
    pub fn named<'v>(&self, values: impl IntoIterator<Item = &'v [u8]>) -> Result<(&TenantId, &T), TenantError> {
        let mut values = values.into_iter();
        let Some(first) = values.next() else {
            return Ok((&self.all[0].0, self.of_default()));
        };
        if values.any(|other| other != first) {
            return Err(TenantError::Conflicting);
        }
        let id: TenantId = String::from_utf8_lossy(first).parse()?;
        let found = self.all.iter().find(|(known, _)| *known == id);
        found.map(|(id, one)| (id, one)).ok_or(TenantError::Undeclared(id))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_names_of_directories_and_lead_nowhere_else() {
        for good in ["a", "0", "acme", "acme-eu_2", "default", &"x".repeat(64)] {
            assert_eq!(good.parse::<TenantId>().expect(good).as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "_a",
            ".",
            "..",
            "a/b",
            "a.b",
            "A",
            "Acme",
            "ä",
            "a b",
            "a|b",
            "a\0",
            " a",
            "a\n",
            &"x".repeat(65),
        ] {
            assert_eq!(bad.parse::<TenantId>().map(drop), Err(TenantError::Malformed(bad.chars().take(64).collect())));
        }
    }

    fn tenants() -> Tenants<u8> {
        let mut tenants = Tenants::only(0);
        tenants.add("a".parse().expect("an id"), 1);
        tenants.add("b".parse().expect("an id"), 2);
        tenants
    }

    #[test]
    fn a_request_is_of_the_tenant_that_it_names() {
        let tenants = tenants();
        let of = |values: &[&'static str]| tenants.named(values.iter().map(|one| one.as_bytes())).map(|(_, one)| *one);
        assert_eq!((of(&[]), of(&["default"]), of(&["b"]), of(&["a", "a"])), (Ok(0), Ok(0), Ok(2), Ok(1)));
        assert_eq!(of(&["a", "b"]), Err(TenantError::Conflicting));
        assert_eq!(of(&["a", ""]), Err(TenantError::Conflicting));
        assert!(matches!(of(&["c"]), Err(TenantError::Undeclared(_))));
        for malformed in ["", "A", "a|b", "../a"] {
            assert!(matches!(of(&[malformed]), Err(TenantError::Malformed(_))), "{malformed}");
        }
    }

    #[test]
    fn each_keeps_its_own() {
        let names = tenants().map(|id, one| format!("{id}{one}"));
        let all: Vec<_> = names.iter().map(|(id, one)| (id.as_str(), one.as_str())).collect();
        assert_eq!(all, [("default", "default0"), ("a", "a1"), ("b", "b2")]);
        assert_eq!((names.count(), names.of_default().as_str()), (3, "default0"));
    }

    proptest! {
        #[test]
        fn whatever_is_sent_names_what_is_there_or_nothing(value in any::<Vec<u8>>()) {
            if let Ok((id, _)) = tenants().named([value.as_slice()]) {
                prop_assert_eq!(id.as_str().as_bytes(), value.as_slice());
            }
        }
    }
}
