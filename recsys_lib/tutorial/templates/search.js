// Search without a server: SEARCH (search-index.js) holds every section as [file, title, heading, anchor, text].
const LIMIT = 40;
const sections = SEARCH.map(([file, title, heading, anchor, text]) => ({
  file, title, heading, anchor, text,
  head: `${title} ${heading}`.toLowerCase(), body: text.toLowerCase(),
}));

function find(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const score = (section) => {
    let sum = 0;
    for (const word of words) {
      const inHead = section.head.includes(word), times = section.body.split(word).length - 1;
      if (!inHead && !times) return 0;
      sum += (inHead ? 10 : 0) + Math.min(times, 5);
    }
    return section.file.startsWith("solutions/") ? sum / 2 : sum;
  };
  return sections
    .map((section) => ({ section, words, score: score(section) }))
    .filter((hit) => hit.score > 0)
    .sort((a, b) => b.score - a.score);
}

function excerpt({ section, words }) {
  const places = words.map((word) => section.body.indexOf(word)).filter((place) => place >= 0);
  const from = Math.max(0, Math.min(...places.concat(section.text.length)) - 60);
  const line = document.createElement("p");
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const shown = (from ? "… " : "") + section.text.slice(from, from + 220);
  shown.split(new RegExp(`(${escaped.join("|")})`, "gi")).forEach((part, place) => {
    line.append(place % 2 ? Object.assign(document.createElement("mark"), { textContent: part }) : part);
  });
  return line;
}

function show(query) {
  const hits = find(query);
  document.querySelector("#found").textContent = query.trim() ? `${hits.length} sections` : "";
  document.querySelector("#results").replaceChildren(...hits.slice(0, LIMIT).map((hit) => {
    const { file, title, heading, anchor } = hit.section, item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: file + (anchor ? `#${anchor}` : "") });
    link.textContent = heading ? `${title}: ${heading}` : title;
    item.append(link, excerpt(hit));
    return item;
  }));
}

const box = document.querySelector("#query");
box.value = new URLSearchParams(location.search).get("q") || "";
box.addEventListener("input", () => show(box.value));
if (box.value) show(box.value);
