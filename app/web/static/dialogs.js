// Record pages open in a dialog over the page that links to them. Without this the links lead to the pages themselves.
"use strict";

(() => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.innerHTML = '<button type="button" class="dialog-close" aria-label="Close"><span aria-hidden="true">×</span></button><div></div>';
  document.body.append(dialog);
  const content = dialog.querySelector("div");
  let changed = false; // something was typed that isn't saved
  let busy = false;

  const parse = async (response) => {
    if (!response.headers.get("Content-Type")?.startsWith("text/html")) throw new TypeError("not a page");
    return new DOMParser().parseFromString(await response.text(), "text/html");
  };

  // The part of a fetched page that a dialog shows; of an error page, all of it.
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

  const complain = (...words) => {
    const notice = document.createElement("p");
    notice.className = "notice notice-error";
    notice.setAttribute("role", "alert");
    notice.append(...words);
    content.querySelector(".notice-error")?.remove();
    content.prepend(notice);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };

  const complainOfSession = () => {
    const link = document.createElement("a");
    link.href = location.href; // leads to the log-in page and back
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = "Log in in another tab";
    complain("Your session has ended. Nothing is lost: ", link, ", then come back here and try again.");
  };

  // The header makes the server say 401 where it would lead to the log-in page.
  const ask = (address, options = {}) => fetch(address, { ...options, headers: { "X-Requested-With": "dialog" } });

  const post = async (form) => {
    const send = () => ask(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual" });
    const response = await send();
    if (response.status !== 401) return response;
    const page = await ask(form.action); // with a token of the session that has begun since, if one has
    if (page.status === 401) return page;
    form.elements.csrf_token.value = (await parse(page)).querySelector("[name=csrf_token]").value;
    return send();
  };

  // Do one thing at a time; what `answer` promises is shown, but for a redirect after a form, which is returned.
  const request = async (answer, sent) => {
    if (busy) return;
    busy = true;
    try {
      const response = await answer();
      if (response.type === "opaqueredirect") return response; // the form was accepted
      if (response.status === 401) return void complainOfSession();
      if (response.redirected) return void location.assign(response.url);
      show(await parse(response));
      changed = sent; // it came back with a mistake: what was typed is still to be saved
    } catch {
      complain("The library can’t be reached just now. Nothing is lost: try again in a moment.");
    } finally {
      busy = false;
    }
  };

  const send = async (form) => {
    if (!(await request(() => post(form), true))) return;
    changed = false;
    if (form.dataset.gone === location.pathname) location.assign(form.dataset.list); // the page's own record
    else {
      scrollTo(0, 0); // where the page says what was done
      location.reload();
    }
  };

  const close = () => {
    if (changed && !confirm("Close without saving what you typed?")) return;
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
