// Elements of a page. All text is inserted as text, so that music may have any name.

export function html<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  name: string,
  parent: Element,
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  if (name) node.className = name;
  return parent.appendChild(node);
}

/** What the CSS variables `--pr-NAME` are in an element now, in light or dark: a canvas does not know them. */
export function cssColours<Name extends string>(names: readonly Name[], parent: Element): Record<Name, string> {
  const probe = html("span", "", parent);
  const colours = names.map((name): [string, string] => {
    probe.style.color = `var(--pr-${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(colours) as Record<Name, string>;
}
