const table = document.getElementById("invocations");
const bodies = [...table.tBodies];
const search = document.getElementById("search");
const count = document.getElementById("count");

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const body of bodies) {
    const text = body.rows[0].textContent.toLowerCase();
    body.hidden = !wanted.every((word) => text.includes(word));
    shown += body.hidden ? 0 : 1;
  }
  count.textContent = `${shown} of ${bodies.length}`;
}

function valueOf(body, column, by) {
  const cell = body.rows[0].cells[column];
  if (by === "text") return cell.textContent;
  return cell.dataset.value === "" ? -Infinity : Number(cell.dataset.value);
}

function sort(column, by, down) {
  const sign = down ? -1 : 1;
  bodies.sort((one, other) => {
    const a = valueOf(one, column, by), b = valueOf(other, column, by);
    return a < b ? -sign : a > b ? sign : 0;
  });
  table.append(...bodies);
}

const heads = [...table.tHead.rows[0].cells];
heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    sort(column, head.dataset.by, down);
  });
});
search.addEventListener("input", filter);

// page.html#search=ann&sort=age, for links
const asked = new URLSearchParams(location.hash.slice(1));
search.value = asked.get("search") ?? "";
heads.find((head) => head.textContent === asked.get("sort"))?.firstChild.click();
document.getElementById("tools").hidden = false;
filter();
