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

  // The part of a fetched page that a dialog shows; of an error page, all of it.
  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
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

  const complain = () => {
    const notice = document.createElement("p");
    notice.className = "notice notice-error";
    notice.setAttribute("role", "alert");
    notice.textContent = "The library can’t be reached just now. Nothing is lost: try again in a moment.";
    content.querySelector(".notice-error")?.remove();
    content.prepend(notice);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };

  const request = async (address, options) => {
    if (busy) return;
    busy = true;
    try {
      const response = await fetch(address, options);
      if (response.type === "opaqueredirect") return response; // a form was accepted, or the session has ended
      if (response.redirected) return void location.assign(response.url); // to the log-in page
      show(await response.text());
      changed = options.method === "POST"; // it came back with a mistake: what was typed is still to be saved
    } catch {
      complain();
    } finally {
      busy = false;
    }
  };

  const send = async (form) => {
    const body = new URLSearchParams(new FormData(form));
    const done = await request(form.action, { method: "POST", body, redirect: "manual" });
    if (!done) return;
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
    else request(link.href, {});
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
