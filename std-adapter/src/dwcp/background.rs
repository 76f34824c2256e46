//! Tasks that end with the value that started them.

use tokio::task::JoinHandle;

/// Ends a task with the value that holds it.
#[derive(Debug)]
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
