/** What every part of the page uses of the DOM. Text from outside becomes text nodes, never markup. */

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`there is no element #${id}`);
  return /** @type {T} */ (found);
}

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties] of the element; `data` are its data attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, { data = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
}

/** Write a text where it is another one: what stays costs no layout. @param {Node} node @param {string} text */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {HTMLElement} element @param {string} name @param {string} value */
export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Fill a list of pairs, re-using what it has. @param {HTMLElement} list @param {[string, string][]} pairs */
export function fillPairs(list, pairs) {
  while (list.children.length < 2 * pairs.length) list.append(make("dt"), make("dd"));
  while (list.children.length > 2 * pairs.length) list.lastElementChild?.remove();
  pairs.forEach(([name, value], index) => {
    write(list.children[2 * index], name);
    write(list.children[2 * index + 1], value);
  });
}

/** Let a button open and close a panel; Escape and a click elsewhere close it too.
 * @param {HTMLElement} button @param {HTMLElement} panel @param {() => void} [opened] */
export function popover(button, panel, opened) {
  /** @param {boolean} isOpen */
  const show = (isOpen) => {
    panel.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) opened?.();
  };
  button.addEventListener("click", () => show(panel.hidden === true));
  document.addEventListener("pointerdown", ({ target }) => {
    const isInside = target instanceof Node && (panel.contains(target) || button.contains(target));
    if (!panel.hidden && !isInside) show(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    if (panel.contains(document.activeElement)) button.focus();
    show(false);
  });
}
