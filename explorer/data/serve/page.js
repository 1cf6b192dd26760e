// What the terminal's own script leaves to the page: letters that fit, and keys that arrive.
const COLUMNS = 60; // the least in which the app shows what is decided
const WIDTH = 0.6; // of a letter, in its heights
const [SMALLEST, LARGEST] = [9, 16]; // pixels

const terminal = document.getElementById("terminal");
if (!terminal.dataset.fontSize) {
  const fitting = Math.floor(innerWidth / COLUMNS / WIDTH);
  terminal.dataset.fontSize = Math.min(Math.max(fitting, SMALLEST), LARGEST);
}
// An app begins as one without focus, so it is told of it when it has drawn something: the keys go
// to it, and its footer names them.
new MutationObserver((_, observer) => {
  if (document.body.classList.contains("-first-byte")) {
    observer.disconnect();
    terminal.querySelector("textarea").focus();
  }
}).observe(document.body, { attributeFilter: ["class"] });
