//! What is let through to the planner: one query that reads, of bounded size and depth.
//!
//! DataFusion recurses over expressions in places that cannot grow their stack, so depth is bounded
//! here, before anything walks the tree.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Statement as Sql, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::engine::QueryError;

/// Longest text, bytes.
const MAX_BYTES: usize = 256 << 10;
/// A tree is never deeper than it has tokens: so many are safe to parse and to drop on the large stack.
const MAX_TOKENS: usize = 20_000;
/// Deepest expression: `a OR b OR …` is as deep as it has terms. A worker thread's stack takes
/// about seven times as many.
const MAX_DEPTH: usize = 300;
/// Tables joined or united, subqueries included, those of a WITH each time it is used: plans are as
/// deep, and the planner walks through all of it for each.
const MAX_RELATIONS: usize = 64;
/// Set operations (UNION, INTERSECT, EXCEPT), which nest one in the other.
const MAX_SET_OPERATIONS: usize = 64;

/// The one statement of `text`. Call on a thread with a large stack.
pub(super) fn parse(text: &str) -> Result<Statement, QueryError> {
    if text.len() > MAX_BYTES {
        return Err(QueryError::bad(format!("the query is longer than {MAX_BYTES} bytes")));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| QueryError::Bad { message: error.message, position: offset(text, error.location) })?;
    let meaningful = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    if meaningful.clone().count() > MAX_TOKENS {
        return Err(QueryError::bad(format!("the query has more than {MAX_TOKENS} words and signs")));
    }
    let set_operations = meaningful.filter(|token| match &token.token {
        Token::Word(word) => matches!(word.keyword, Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT),
        _ => false,
    });
    if set_operations.count() > MAX_SET_OPERATIONS {
        return Err(QueryError::bad(format!("the query unites more than {MAX_SET_OPERATIONS} queries")));
    }
    let mut statements = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| QueryError::bad(error.strip_backtrace()))?;
    let statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => statement,
        (None, _) => return Err(QueryError::bad("there is no query")),
        (Some(_), false) => return Err(QueryError::bad("only one statement at a time")),
    };
    check_depth(query_of(&statement)?)?;
    Ok(statement)
}

/// The query that a statement runs or explains; every other statement is refused.
fn query_of(statement: &Statement) -> Result<&Query, QueryError> {
    match statement {
        Statement::Statement(sql) => match &**sql {
            Sql::Query(query) => Ok(query),
            _ => Err(refused()),
        },
        Statement::Explain(explain) => match &*explain.statement {
            Statement::Explain(_) => Err(refused()),
            inner => query_of(inner),
        },
        _ => Err(refused()),
    }
}

fn refused() -> QueryError {
    QueryError::bad("only SELECT, WITH and EXPLAIN of these are allowed: the store is read-only here")
}

fn check_depth(query: &Query) -> Result<(), QueryError> {
    match query.visit(&mut Depth::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(reason) => Err(QueryError::bad(reason)),
    }
}

#[derive(Default)]
struct Depth {
    now: usize,
    /// The queries around this place, the innermost last.
    queries: Vec<Scope>,
}

/// A query while it is visited. Its WITH comes first.
#[derive(Default)]
struct Scope {
    /// What its WITH has still to define, the next last.
    to_define: Vec<String>,
    /// Names and the tables that each stands for.
    defined: Vec<(String, usize)>,
    relations: usize,
}

impl Depth {
    fn enter(&mut self) -> ControlFlow<String> {
        self.now += 1;
        match self.now > MAX_DEPTH {
            true => ControlFlow::Break(format!("an expression is nested deeper than {MAX_DEPTH}")),
            false => ControlFlow::Continue(()),
        }
    }

    fn leave(&mut self) -> ControlFlow<String> {
        self.now -= 1;
        ControlFlow::Continue(())
    }

    /// The tables that a name stands for; of more than one meaning, the largest.
    fn stands_for(&self, name: &str) -> usize {
        let meanings = self.queries.iter().flat_map(|query| &query.defined).filter(|(known, _)| known == name);
        meanings.map(|(_, relations)| *relations).max().unwrap_or(1)
    }

    fn read(&mut self, relations: usize) -> ControlFlow<String> {
        let Some(query) = self.queries.last_mut() else { return ControlFlow::Continue(()) };
        query.relations = query.relations.saturating_add(relations);
        match query.relations > MAX_RELATIONS {
            true => ControlFlow::Break(format!("the query reads more than {MAX_RELATIONS} tables")),
            false => ControlFlow::Continue(()),
        }
    }
}

/// As it is compared: quoted names that differ in case count as one.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

impl Visitor for Depth {
    type Break = String;

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.enter()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.leave()
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables).map(|table| folded(&table.alias.name.value));
        self.queries.push(Scope { to_define: names.rev().collect(), ..Scope::default() });
        self.enter()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        let relations = self.queries.pop().map_or(0, |query| query.relations);
        match self.queries.last_mut().and_then(|around| Some((around.to_define.pop()?, around))) {
            Some((name, around)) => around.defined.push((name, relations.max(1))),
            None => self.read(relations)?,
        }
        self.leave()
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<String> {
        let relations = match &name.0[..] {
            [name] => name.as_ident().map_or(1, |name| self.stands_for(&folded(&name.value))),
            _ => 1,
        };
        self.read(relations)
    }
}

/// Byte offset of a place told in lines and characters, both from 1.
fn offset(text: &str, place: datafusion::sql::sqlparser::tokenizer::Location) -> Option<usize> {
    let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(before..)?;
    Some(before + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        // as in production: the tree is built and dropped on a large stack
        let text = text.to_owned();
        let parsed =
            std::thread::Builder::new().stack_size(super::super::STACK_BYTES).spawn(move || match parse(&text) {
                Ok(_) => "fine".to_owned(),
                Err(error) => error.to_string(),
            });
        parsed.expect("a thread").join().expect("no panic")
    }

    #[test]
    fn queries_that_read_are_let_through() {
        for text in [
            "SELECT 1",
            "select count(*) from spans where name = 'x' or name = 'y';",
            "WITH slow AS (SELECT * FROM spans WHERE duration > 1e9) SELECT service_name, count(*) FROM slow GROUP BY 1",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE SELECT * FROM logs",
            "VALUES (1), (2)",
            "-- a comment\nSELECT 'a; b'",
        ] {
            assert_eq!(message(text), "fine", "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ";",
            "SELECT 1; SELECT 2",
            "SET datafusion.execution.enable_recursive_ctes = true",
            "RESET datafusion.execution.batch_size",
            "SHOW TABLES",
            "COPY spans TO '/tmp/x.csv'",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "CREATE TABLE t AS SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "INSERT INTO spans VALUES (1)",
            "DELETE FROM spans",
            "UPDATE spans SET name = 'x'",
            "DROP TABLE spans",
            "EXPLAIN DELETE FROM spans",
            "EXPLAIN COPY spans TO '/tmp/x.csv'",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "BEGIN",
            "USE x",
            "DESCRIBE spans",
            "SELEC 1",
            "SELECT 1 FROM (SELECT 2",
            "SELECT 'unfinished",
        ] {
            assert_ne!(message(text), "fine", "{text}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let chain = |of: &str, count: usize| format!("SELECT {}", vec!["1"; count].join(of));
        assert_eq!(message(&chain(" + ", 250)), "fine");
        assert!(message(&chain(" OR ", 1000)).contains("nested deeper"));
        assert!(message(&chain(" OR ", 20_000)).contains("words and signs"));
        assert!(message(&"x".repeat(300 << 10)).contains("longer"));
        assert_ne!(message(&format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000))), "fine");
        assert_ne!(message(&format!("SELECT {}1", "NOT ".repeat(9000))), "fine");
        assert_ne!(message(&format!("SELECT {}1", "- ".repeat(9000))), "fine");
        assert!(message(&vec!["SELECT 1"; 100].join(" UNION ALL ")).contains("unites"));
        assert!(message(&format!("SELECT 1 FROM {}", vec!["spans"; 100].join(", "))).contains("tables"));
        let doubled: Vec<String> =
            (1..9).map(|at| format!("c{at} AS (SELECT 1 FROM C{0}, (SELECT 1 FROM c{0}) t)", at - 1)).collect();
        let with =
            |last: usize| format!("WITH c0 AS (SELECT 1 FROM spans), {} SELECT 1 FROM", doubled[..last].join(", "));
        assert_eq!(message(&format!("{} c6", with(6))), "fine");
        assert!(message(&format!("{} c6, spans", with(6))).contains("tables"));
        assert!(message(&format!("{} spans", with(8))).contains("tables"));
        assert!(message(&format!("SELECT 1 WHERE EXISTS ({} c6, spans)", with(6))).contains("tables"));
        assert_eq!(message(&format!("SELECT 1 FROM spans WHERE name IN ({})", vec!["'x'"; 5000].join(","))), "fine");
    }

    #[test]
    fn a_text_that_is_no_sql_is_told_where() {
        let Err(QueryError::Bad { position, .. }) = parse("SELECT 1,\n  'open") else { panic!("it parsed") };
        assert_eq!(position, Some(12));
    }
}
