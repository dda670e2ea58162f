// Opens record pages in a dialog over the page that links to them. Without this the links lead to the pages.
"use strict";

(() => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.innerHTML = '<button type="button" class="dialog-close" aria-label="Close"><span aria-hidden="true">×</span></button><div></div>';
  document.body.append(dialog);
  const content = dialog.querySelector("div");
  let changed = false; // there are unsaved changes
  let busy = false;

  const parse = async (response) => {
    if (!response.headers.get("Content-Type")?.startsWith("text/html")) throw new TypeError("not a page");
    return new DOMParser().parseFromString(await response.text(), "text/html");
  };

  // Show a fetched page's dialog content, or all of an error page.
  const show = (page) => {
    const part = page.querySelector("[data-dialog-content]") ?? page.querySelector("main");
    content.replaceChildren(...part.childNodes);
    const title = content.querySelector("h1");
    if (title) {
      title.id = "dialog-title";
      title.tabIndex = -1;
    }
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    (content.querySelector("[aria-invalid=true]") ?? title ?? dialog).focus();
  };

  const showError = (...words) => {
    const notice = document.createElement("p");
    notice.className = "notice notice-error";
    notice.setAttribute("role", "alert");
    notice.append(...words);
    content.querySelector(".notice-error")?.remove();
    content.prepend(notice);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };

  const showSessionEnded = () => {
    const link = document.createElement("a");
    link.href = location.href; // leads to the log-in page and back here
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = "Log in in a new tab";
    showError("Your session has ended. Nothing you typed is lost: ", link, ", then come back here and try again.");
  };

  // With this header the server answers 401 instead of redirecting to the log-in page.
  const ask = (address, options = {}) => fetch(address, { ...options, headers: { "X-Requested-With": "dialog" } });

  const post = async (form) => {
    const send = () => ask(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
    const response = await send();
    if (response.status !== 401) return response;
    const page = await ask(form.action); // with a token of the new session, if there is one
    if (page.status === 401) return page;
    form.elements.csrf_token.value = (await parse(page)).querySelector("[name=csrf_token]").value;
    return send();
  };

  // One request at a time. Shows the response, or returns it if it is the redirect after an accepted form.
  const request = async (answer, sent) => {
    if (busy) return;
    busy = true;
    try {
      const response = await answer();
      if (response.type === "opaqueredirect") return response; // the form was accepted
      if (response.status === 401) return void showSessionEnded();
      if (response.redirected) return void location.assign(response.url);
      show(await parse(response));
      changed = sent; // a form that came back with errors is still unsaved
    } catch {
      showError("The library can’t be reached right now. Nothing you typed is lost; try again in a moment.");
    } finally {
      busy = false;
    }
  };

  const send = async (form) => {
    if (!(await request(() => post(form), true))) return;
    changed = false;
    if (form.dataset.gone === location.pathname) location.assign(form.dataset.list); // the record of this page
    else {
      scrollTo(0, 0); // to the message
      location.reload();
    }
  };

  const close = () => {
    if (changed && !confirm("Discard your changes?")) return;
    dialog.close();
  };

  document.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a[data-dialog], a[data-dialog-close]");
    if (!link || ("dialogClose" in link.dataset && !dialog.contains(link))) return;
    event.preventDefault();
    if ("dialogClose" in link.dataset) close();
    else request(() => ask(link.href), false);
  });
  dialog.querySelector(".dialog-close").addEventListener("click", close);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  dialog.addEventListener("close", () => {
    content.replaceChildren();
    changed = false;
  });
  dialog.addEventListener("input", () => (changed = true));
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.target);
  });
})();
