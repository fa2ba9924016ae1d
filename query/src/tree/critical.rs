//! The critical path: which span the root was waiting for, at every instant.

use crate::model::{CallTree, Section};

use super::Node;

/// A child may end after the next one starts by this share of its parent and still count as
/// having been waited for: clocks of two threads or hosts do not agree to the nanosecond.
const OVERLAP_DIVISOR: u64 = 100;

/// Sections by start time: disjoint, and together the duration of the root, which is the first span
/// without a parent id, or else the first root.
///
/// Children are clipped to their parent (one that lies outside is dropped); then the path is walked
/// back from the end of the root, at each step into the last child that had finished by then.
pub fn critical_path(nodes: &[Node], tree: &CallTree) -> Vec<Section> {
    let root = tree.roots.iter().copied().find(|&span| nodes[span].parent.is_none()).or(tree.roots.first().copied());
    let Some(root) = root else { return Vec::new() };
    let (start, end) = nodes[root].interval();
    let mut sections = Vec::new();
    let mut stack = vec![Frame::new(nodes, tree, root, start, end)];
    while let Some(frame) = stack.last_mut() {
        let waited_for = frame.last_finished();
        let (from, cursor) = (waited_for.map_or(frame.start, |child| child.end), frame.cursor);
        if from < cursor {
            sections.push(Section { span: frame.span, start: from, end: cursor });
        }
        match waited_for {
            Some(child) => {
                frame.cursor = child.start;
                stack.push(Frame::new(nodes, tree, child.span, child.start, child.end));
            }
            None => {
                stack.pop();
            }
        }
    }
    sections.reverse();
    sections
}

/// A span while the walk is inside it.
struct Frame {
    span: usize,
    start: u64,
    /// What lies after this is told already.
    cursor: u64,
    overlap: u64,
    /// Clipped children that may still be waited for, the last to finish at the end.
    waiting: Vec<Child>,
}

#[derive(Clone, Copy)]
struct Child {
    span: usize,
    start: u64,
    end: u64,
}

impl Frame {
    fn new(nodes: &[Node], tree: &CallTree, span: usize, start: u64, end: u64) -> Self {
        let mut waiting: Vec<Child> = tree.children[span]
            .iter()
            .filter(|&&child| !nodes[child].detached)
            .filter_map(|&child| {
                let (from, to) = nodes[child].interval();
                let (from, to) = (from.max(start), to.min(end));
                (from < to).then_some(Child { span: child, start: from, end: to })
            })
            .collect();
        // Of children that end together the one that really ends last, then the longest, is the one waited
        // for. The sort is stable and children come by start, so the rest is decided as well.
        waiting.reverse();
        waiting.sort_by_key(|child| (child.end, nodes[child.span].end, std::cmp::Reverse(child.start)));
        Self { span, start, cursor: end, overlap: (end - start) / OVERLAP_DIVISOR, waiting }
    }

    /// Takes the last child that had finished at the cursor, clipped to it.
    fn last_finished(&mut self) -> Option<Child> {
        while let Some(child) = self.waiting.pop() {
            let finished = child.end <= self.cursor.saturating_add(self.overlap);
            if finished && child.start < self.cursor {
                return Some(Child { end: child.end.min(self.cursor), ..child });
            }
        }
        None
    }
}
