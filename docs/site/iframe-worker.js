// Browsers start no worker for a page that was opened as a file. There the search runs in a hidden frame instead, which
// is spoken to as a worker is.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.addEventListener("load", () => {
        const scope = frame.contentWindow;
        scope.importScripts = (...urls) => Promise.all(urls.map(load));
        scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        load(url).then(() => {
          this.scope = scope;
          this.waiting.splice(0).forEach((data) => this.postMessage(data));
        });
      });
      const load = (source) =>
        new Promise((done, failed) => {
          const script = frame.contentDocument.createElement("script");
          script.src = source;
          script.onload = done;
          script.onerror = failed;
          frame.contentDocument.body.append(script);
        });
      document.body.append(frame);
    }
    postMessage(data) {
      if (this.scope) this.scope.dispatchEvent(new MessageEvent("message", { data }));
      else this.waiting.push(data);
    }
    set onmessage(listener) {
      this.addEventListener("message", listener);
    }
  };
}
