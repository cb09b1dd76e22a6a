// Follows the live list as a stream of events, and tells the truth about the connection.

// A quiet stream is one that sells nothing, or one whose other end is gone: a pulled cable says
// nothing either. Opened anew it answers at once, or it is dead.
const QUIET_MS = 30_000;
const ANSWER_MS = 5_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
// An edge that is restarted is back before so many attempts failed.
const FAILURES_MAX = 4;

/**
 * Make a stream; `follow(url)` opens it, and leaves the one that was followed before.
 *
 * `onTop` is called with each list, `onState` with "connecting", "live", "reconnecting", "lost", or
 * "waiting" where an edge answers but has no list yet.
 * Each event is a whole list, so that nothing is missed by whoever comes back late.
 */
export function createStream({ onTop, onState }) {
  let url = null;
  let source = null;
  let timer = 0;
  let failures = 0;

  function open() {
    close();
    source = new EventSource(url);
    source.addEventListener("top", hear);
    source.addEventListener("error", retry);
    timer = setTimeout(stopWaiting, ANSWER_MS);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function hear(event) {
    const top = JSON.parse(event.data);
    failures = 0;
    clearTimeout(timer);
    timer = setTimeout(open, QUIET_MS);
    onState("live");
    onTop(top);
  }

  function stopWaiting() {
    if (source.readyState === EventSource.OPEN) {
      onState("waiting");
      open();
    } else {
      retry();
    }
  }

  // The browser's own attempts end for good at an error status, so all of them are made here.
  function retry() {
    close();
    failures += 1;
    onState(failures < FAILURES_MAX ? "reconnecting" : "lost");
    timer = setTimeout(open, Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1)));
  }

  // A browser opens six connections to one server at most: pages that nobody sees leave theirs.
  function rest() {
    close();
    onState("connecting");
  }

  function follow(newUrl) {
    url = newUrl;
    if (document.hidden) {
      rest();
    } else {
      open();
    }
  }

  document.addEventListener("visibilitychange", () => follow(url));
  // What the system believes of its network is a reason to look, and no more: the edge may be near.
  for (const hint of ["online", "offline"]) {
    addEventListener(hint, () => follow(url));
  }
  return { follow };
}
