// Makes or uses a passkey when its form is sent, and sends the browser's answer along. The forms are hidden until this
// finds that the browser can do so; what stands in for them is shown until then.

const REASONS = {
  InvalidStateError: "This device already has a passkey for your account.",
  NotAllowedError: "No passkey was used. Try again.", // cancelled, too late, or none there: browsers don't say which
};

if (window.PublicKeyCredential?.parseCreationOptionsFromJSON && navigator.credentials) {
  for (const form of document.querySelectorAll("form[data-passkey]")) begin(form);
}

function begin(form) {
  const button = form.querySelector("[type=submit]");
  for (const other of document.querySelectorAll("[data-no-passkeys]")) other.hidden = true;
  form.hidden = false;
  (form.querySelector("[autofocus]") ?? button).focus();
  let asking = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) return;
    asking = true;
    form.querySelector("[role=alert]")?.remove();
    try {
      form.elements.credential.value = JSON.stringify(await answer(form));
      form.submit();
    } catch (error) {
      warn(form, REASONS[error.name] ?? "That didn’t work. Reload the page and try again.");
      asking = false;
    }
  });
}

async function answer(form) {
  const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
  const options = await fetch(form.dataset.options, { method: "POST", body });
  if (!options.ok || options.redirected) throw new Error("refused");
  const publicKey = await options.json();
  return form.dataset.passkey === "add"
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
}

function warn(form, text) {
  const notice = Object.assign(document.createElement("p"), { className: "notice notice-error", role: "alert" });
  form.prepend(notice);
  notice.textContent = text;
}
