// New elements of a page. All text is inserted as text, so that music may have any name.

export function html<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  name: string,
  parent: Element,
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  if (name) node.className = name;
  return parent.appendChild(node);
}
