//! What an operator or a `|` makes of the pieces beside it.

use super::{Node, expr, metrics};
use crate::QueryError;
use crate::traceql::ast::*;
use crate::traceql::bad;
use crate::traceql::lex::Token;

/// `before | next`
pub(super) fn piped(before: Node, next: Node, at: usize) -> Result<Node, QueryError> {
    Ok(match (before, next) {
        (Node::Spans(Spanset::Pipeline(mut stages)), Node::Spans(spans)) => {
            stages.push(Stage::Spanset(spans));
            Node::Spans(Spanset::Pipeline(stages))
        }
        (Node::Spans(Spanset::Pipeline(mut stages)), Node::Stage(stage)) => {
            stages.push(stage);
            Node::Spans(Spanset::Pipeline(stages))
        }
        (Node::Spans(Spanset::Pipeline(stages)), Node::Scalar(scalar)) => {
            Node::Scalar(Scalar::Pipeline(stages, Box::new(scalar)))
        }
        (Node::Spans(Spanset::Pipeline(stages)), Node::Metrics(metrics)) => {
            Node::Metrics(metrics::after_spans(metrics, stages, at)?)
        }
        (Node::Metrics(before), Node::Metrics(metrics)) => Node::Metrics(metrics::after_metrics(metrics, before, at)?),
        _ => return Err(bad(at, "this step cannot follow the one before it")),
    })
}

/// `left operator right`
pub(super) fn joined(operator: &Token, left: Node, right: Node, at: usize) -> Result<Node, QueryError> {
    let wrong = || bad(at, "this operator cannot stand between what is left and right of it");
    Ok(match (operator, left, right) {
        (Token::And, Node::Spans(left), Node::Spans(right)) => Node::Spans(Spanset::And(vec![left, right])),
        (Token::Or, Node::Spans(left), Node::Spans(right)) => Node::Spans(Spanset::Or(vec![left, right])),
        (operator, Node::Spans(left), Node::Spans(right)) => {
            let relation = relation(operator).ok_or_else(wrong)?;
            Node::Spans(Spanset::Related(relation, Box::new(left), Box::new(right)))
        }
        (Token::Compare(op), Node::Metrics(metrics), Node::Number(number)) => {
            Node::Metrics(metrics::keep(metrics, *op, number, at)?)
        }
        (Token::Arithmetic(op), Node::Number(left), Node::Number(right)) => {
            Node::Number(expr::fold_numbers(*op, &left, &right).ok_or_else(wrong)?)
        }
        (Token::Arithmetic(op), Node::Metrics(left), right) => {
            let right = series(right).ok_or_else(wrong)?;
            Node::Metrics(metrics::arithmetic(*op, left, right, at)?)
        }
        (Token::Arithmetic(op), left, Node::Metrics(right)) => {
            let left = series(left).ok_or_else(wrong)?;
            Node::Metrics(metrics::arithmetic(*op, left, right, at)?)
        }
        // Two numbers compare to nothing of a span.
        (Token::Compare(_), Node::Number(_), Node::Number(_)) => return Err(wrong()),
        (operator, left, right) => {
            let (left, right) = (scalar(left).ok_or_else(wrong)?, scalar(right).ok_or_else(wrong)?);
            match operator {
                Token::Compare(op) => Node::Stage(Stage::Scalar(Box::new(left), *op, Box::new(right))),
                Token::Arithmetic(op) => Node::Scalar(Scalar::Arithmetic(*op, Box::new(left), Box::new(right))),
                _ => return Err(wrong()),
            }
        }
    })
}

fn series(node: Node) -> Option<Metrics> {
    match node {
        Node::Metrics(metrics) => Some(metrics),
        Node::Number(number) => Some(Metrics::Literal(number)),
        _ => None,
    }
}

fn scalar(node: Node) -> Option<Scalar> {
    match node {
        Node::Scalar(scalar) => Some(scalar),
        Node::Number(number) => Some(Scalar::Literal(number)),
        _ => None,
    }
}

fn relation(operator: &Token) -> Option<Relation> {
    let (kind, mode) = match operator {
        Token::Relation(relation) => return Some(*relation),
        Token::Compare(CompareOp::Greater) => (RelationKind::Child, RelationMode::Right),
        Token::Compare(CompareOp::Less) => (RelationKind::Parent, RelationMode::Right),
        Token::NotTilde => (RelationKind::Sibling, RelationMode::Not),
        _ => return None,
    };
    Some(Relation { kind, mode })
}
