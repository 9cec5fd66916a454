// @ts-check
/** The page on which the class's code is typed. */

import { el, main } from "../dom.js";
import { t } from "../text.js";

const code = el("input", {
  id: "code", name: "key", required: true, maxlength: 20, autocomplete: "off", autocapitalize: "none", spellcheck: "false", placeholder: "abcd-2345",
});
const wrong = location.pathname.endsWith("/again") && el("p", { class: "notice bad", role: "alert" }, t("join.wrong"));
main.append(
  el("form", { action: "/", method: "get" }, wrong, el("label", { for: "code" }, t("join.code")), code, el("button", { class: "main" }, t("join.go"))),
);
code.focus();
