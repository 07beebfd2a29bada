"use strict";
{
  // Tables: a head becomes a button that sorts by its column.
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        const body = table.tBodies[0];
        const value = (row) => row.cells[column].textContent.trim().replaceAll(",", "");
        const sorted = [...body.rows].sort((one, other) => {
          const [a, b] = [value(one), value(other)];
          const numbers = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
          const order = numbers ? a - b : a.localeCompare(b, "en", { numeric: true });
          return descending ? -order : order;
        });
        body.append(...sorted);
      });
    });
  }

  // Pictures enlarge: Enter or a click opens one, Escape closes it.
  const large = document.getElementById("large");
  const shown = large.querySelector("img");
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      const picture = button.querySelector("img");
      const drawn = button.parentElement.closest("figure") !== null;
      const words = drawn ? button.closest("figure").querySelector("figcaption").textContent : picture.alt;
      [shown.src, shown.alt, shown.className] = [picture.src, picture.alt, drawn ? "drawn" : "photograph"];
      document.getElementById("large-words").textContent = words;
      large.showModal();
    });
  }
  large.addEventListener("click", (event) => event.target === large && large.close());

  // A table that is larger than its frame says so.
  const sizes = new ResizeObserver((frames) => {
    for (const { target } of frames) {
      const hint = target.previousElementSibling;
      hint.hidden = target.scrollWidth <= target.clientWidth + 1 && target.scrollHeight <= target.clientHeight + 1;
    }
  });
  document.querySelectorAll(".scroll").forEach((frame) => sizes.observe(frame));

  // Long names of columns stand upright.
  const matrix = document.querySelector("table.matrix");
  if (matrix) {
    const names = [...matrix.tHead.rows[0].cells].slice(1);
    if (names.some((name) => name.textContent.length > 3)) names.forEach((name) => name.classList.add("turned"));
  }

  // The gallery of mistakes: filter and sort, also from the confusion matrix.
  const form = document.getElementById("filter");
  if (form) {
    const gallery = document.getElementById("gallery");
    const items = [...gallery.children];
    const orders = {
      loss: (item) => -item.dataset.loss,
      confident: (item) => -item.dataset.confidence,
      doubtful: (item) => Number(item.dataset.confidence),
    };
    const show = () => {
      const key = orders[form.elements.sort.value];
      gallery.append(...items.toSorted((one, other) => key(one) - key(other)));
      let shown = 0;
      for (const item of items) {
        item.hidden = ["true", "predicted"].some(
          (name) => form.elements[name].value !== "" && form.elements[name].value !== item.dataset[name],
        );
        shown += !item.hidden;
      }
      document.getElementById("count").value = `${shown} of ${items.length} shown`;
    };
    form.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(show));
    for (const button of document.querySelectorAll("button[data-true]")) {
      button.addEventListener("click", () => {
        form.elements.true.value = button.dataset.true;
        form.elements.predicted.value = button.dataset.predicted;
        show();
        document.getElementById("mistakes").scrollIntoView();
        form.elements.true.focus({ preventScroll: true });
      });
    }
  }
}
