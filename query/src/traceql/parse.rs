//! Tokens to tree: pipelines, spansets, scalars and metrics. Conditions inside braces are `parse/expr`.
//!
//! One precedence climber reads all that stands outside braces; what an operator means depends on the
//! kinds of its operands ([`Node`]), and a mixture that means nothing is an error at the operator.

mod expr;
mod join;
mod metrics;

use super::ast::*;
use super::lex::{Token, lex};
use super::{MAX_DEPTH, bad};
use crate::QueryError;

pub(super) enum Root {
    Spans(Spanset),
    Metrics(Metrics),
}

pub(super) fn parse(text: &str) -> Result<Root, QueryError> {
    let mut parser = Parser { tokens: lex(text)?, at: 0 };
    let node = parser.pipeline(0)?;
    parser.hints()?;
    if *parser.peek() != Token::End {
        return Err(parser.unexpected("the end of the query"));
    }
    match node {
        Node::Spans(spans) => Ok(Root::Spans(spans)),
        Node::Stage(stage) => leading(stage, 0).map(|stage| Root::Spans(Spanset::Pipeline(vec![stage]))),
        Node::Metrics(metrics) if metrics::complete(&metrics) => Ok(Root::Metrics(metrics)),
        Node::Metrics(_) => Err(bad(0, "a metrics function needs spans before it, such as `{ } | rate()`")),
        Node::Scalar(_) => Err(bad(0, "an aggregate needs a comparison, such as `count() > 2`")),
        Node::Number(_) => Err(bad(0, "a number alone selects no spans")),
    }
}

/// What a piece of the query stands for.
enum Node {
    Spans(Spanset),
    /// A step that is no operand: a scalar comparison, `by`, `select`, `coalesce`.
    Stage(Stage),
    Scalar(Scalar),
    Metrics(Metrics),
    Number(Static),
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].1
    }

    fn position(&self) -> usize {
        self.tokens[self.at].0
    }

    /// The token here, and on to the next one; stays at the end.
    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].1.clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn eat(&mut self, token: &Token) -> bool {
        let there = self.peek() == token;
        if there {
            self.next();
        }
        there
    }

    fn expect(&mut self, token: Token, what: &str) -> Result<(), QueryError> {
        if self.eat(&token) { Ok(()) } else { Err(self.unexpected(what)) }
    }

    fn unexpected(&self, wanted: &str) -> QueryError {
        let found = match self.peek() {
            Token::End => "the query ends".to_owned(),
            Token::Word(word) => format!("found `{word}`"),
            Token::Field(field) => format!("found `{field}`"),
            Token::Literal(literal) => format!("found `{literal}`"),
            _ => "found an operator".to_owned(),
        };
        bad(self.position(), format!("{found} where {wanted} is expected"))
    }

    fn nest(&self, depth: usize) -> Result<(), QueryError> {
        if depth > MAX_DEPTH { Err(bad(self.position(), "the query is nested too deep")) } else { Ok(()) }
    }

    /// `a | b | …`
    fn pipeline(&mut self, depth: usize) -> Result<Node, QueryError> {
        self.nest(depth)?;
        let from = self.position();
        let first = self.binary(0, depth)?;
        if *self.peek() != Token::Pipe {
            return Ok(first);
        }
        let mut node = match first {
            Node::Spans(spans) => Node::Spans(Spanset::Pipeline(vec![Stage::Spanset(spans)])),
            Node::Stage(stage) => Node::Spans(Spanset::Pipeline(vec![leading(stage, from)?])),
            other => other,
        };
        let mut steps = 1;
        loop {
            let at = self.position();
            if !self.eat(&Token::Pipe) {
                return Ok(node);
            }
            steps += 1;
            self.nest(depth + steps)?;
            let next = self.binary(0, depth)?;
            node = join::piped(node, next, at)?;
        }
    }

    /// Operands joined by operators of at least this precedence.
    fn binary(&mut self, least: u8, depth: usize) -> Result<Node, QueryError> {
        self.nest(depth)?;
        let mut left = self.operand(depth)?;
        // The operator by which `left` was joined here: `a && b && c` is one list, `(a && b) && c` is not.
        let mut joined = None;
        let mut chain = 0;
        loop {
            let (operator, at) = (self.peek().clone(), self.position());
            let Some(precedence) = precedence(&operator).filter(|precedence| *precedence >= least) else {
                return Ok(left);
            };
            self.next();
            let power = operator == Token::Arithmetic(ArithmeticOp::Power);
            let right = self.binary(if power { precedence } else { precedence + 1 }, depth + 1)?;
            left = match (&operator, left, right) {
                (Token::And, Node::Spans(Spanset::And(mut all)), Node::Spans(right)) if joined == Some(Token::And) => {
                    all.push(right);
                    Node::Spans(Spanset::And(all))
                }
                (Token::Or, Node::Spans(Spanset::Or(mut any)), Node::Spans(right)) if joined == Some(Token::Or) => {
                    any.push(right);
                    Node::Spans(Spanset::Or(any))
                }
                (operator, left, right) => {
                    chain += 1;
                    self.nest(depth + chain)?;
                    join::joined(operator, left, right, at)?
                }
            };
            joined = Some(operator);
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Node, QueryError> {
        let (at, here) = (self.position(), self.at);
        match self.next() {
            Token::Open => self.filter(depth).map(|expr| Node::Spans(Spanset::Filter(expr))),
            Token::OpenParen => {
                let inner = self.pipeline(depth + 1)?;
                self.expect(Token::CloseParen, "`)`")?;
                match inner {
                    Node::Stage(stage) => leading(stage, at).map(|stage| Node::Spans(Spanset::Pipeline(vec![stage]))),
                    Node::Metrics(metrics) if !metrics::complete(&metrics) => {
                        Err(bad(at, "a metrics function needs spans before it"))
                    }
                    inner => Ok(inner),
                }
            }
            Token::Literal(number @ (Static::Int(_) | Static::Float(_) | Static::Duration(_))) => {
                Ok(Node::Number(number))
            }
            Token::Arithmetic(ArithmeticOp::Subtract) => {
                self.nest(depth + 1)?;
                match self.operand(depth + 1)? {
                    Node::Number(number) => Ok(Node::Number(expr::negated(number))),
                    _ => Err(bad(at, "only a number can be negated here")),
                }
            }
            Token::Word(word) => self.function(&word, at, depth),
            _ => {
                self.at = here;
                Err(self.unexpected("`{`, `(` or a function"))
            }
        }
    }

    fn function(&mut self, word: &str, at: usize, depth: usize) -> Result<Node, QueryError> {
        let aggregate = match word {
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "avg" => Aggregate::Avg,
            "sum" => Aggregate::Sum,
            "count" => return self.no_arguments().map(|()| Node::Scalar(Scalar::Count)),
            "coalesce" => return self.no_arguments().map(|()| Node::Stage(Stage::Coalesce)),
            "by" => return Ok(Node::Stage(Stage::By(self.argument(depth, false)?))),
            "select" => return Ok(Node::Stage(Stage::Select(self.fields()?))),
            _ => return self.metrics_function(word, at, depth),
        };
        Ok(Node::Scalar(Scalar::Aggregate(aggregate, self.argument(depth, true)?)))
    }

    /// `(expr)` that says something of a span; a number where `number`.
    fn argument(&mut self, depth: usize, number: bool) -> Result<Expr, QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        let at = self.position();
        let typed = self.expr(0, depth + 1)?;
        self.expect(Token::CloseParen, "`)`")?;
        if number && !typed.is_number() {
            return Err(bad(at, "an aggregate takes a number"));
        }
        if !typed.expr.any(&mut |part| matches!(part, Expr::Field(_))) {
            return Err(bad(at, "the argument names nothing of a span"));
        }
        Ok(typed.expr)
    }

    fn no_arguments(&mut self) -> Result<(), QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        self.expect(Token::CloseParen, "`)`")
    }

    /// `(field, field, …)`
    fn fields(&mut self) -> Result<Vec<Field>, QueryError> {
        self.expect(Token::OpenParen, "`(`")?;
        let mut fields = vec![self.field()?];
        while self.eat(&Token::Comma) {
            fields.push(self.field()?);
        }
        self.expect(Token::CloseParen, "`)`")?;
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, QueryError> {
        match self.peek().clone() {
            Token::Field(field) => {
                self.next();
                Ok(field)
            }
            _ => Err(self.unexpected("an attribute or an intrinsic")),
        }
    }

    /// `with (name = literal, …)`: hints to Tempo's engine, which change no answer; they are read over.
    fn hints(&mut self) -> Result<(), QueryError> {
        if !self.eat(&Token::Word("with".to_owned())) {
            return Ok(());
        }
        self.expect(Token::OpenParen, "`(`")?;
        loop {
            let Token::Word(_) = self.next() else { return Err(self.unexpected("the name of a hint")) };
            self.expect(Token::Compare(CompareOp::Equal), "`=`")?;
            let Token::Literal(_) = self.next() else { return Err(self.unexpected("the value of a hint")) };
            if !self.eat(&Token::Comma) {
                return self.expect(Token::CloseParen, "`)`");
            }
        }
    }
}

/// A stage that may begin a pipeline.
fn leading(stage: Stage, at: usize) -> Result<Stage, QueryError> {
    match stage {
        Stage::Coalesce | Stage::Select(_) => Err(bad(at, "this step needs spans before it")),
        stage => Ok(stage),
    }
}

fn precedence(operator: &Token) -> Option<u8> {
    Some(match operator {
        Token::And | Token::Or => 1,
        Token::Compare(_) | Token::Relation(_) | Token::NotTilde => 2,
        Token::Arithmetic(ArithmeticOp::Add | ArithmeticOp::Subtract) => 3,
        Token::Arithmetic(ArithmeticOp::Power) => 5,
        Token::Arithmetic(_) => 4,
        _ => return None,
    })
}
