// Erasing the conversation: asked once more, in the page itself, since browsers show no confirm() in another site's frame.

/** Makes the button and its question work; `erase` is called when the visitor is sure. */
export function forgetting(at, erase) {
  const dialog = at("really");
  at("forget").onclick = () => dialog.showModal();
  at("retain").onclick = () => dialog.close();
  at("erase").onclick = () => {
    dialog.close();
    erase();
  };
  return {
    /** Puts the words in. */
    dress(t) {
      for (const name of ["forget", "erase", "retain"]) at(name).textContent = t[name];
      at("question-really").textContent = t.really;
    },
  };
}
