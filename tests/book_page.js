// What a reader meets on a page: contrast, names, order, links. Evaluated in Chromium.
window.bookPage = (() => {
  // Colours and folds change at once: a busy machine must not measure half a change.
  const still = document.createElement('style');
  still.textContent =
    '*, *::before, *::after {animation: none !important; transition: none !important}';
  document.head.append(still);

  const article = () => document.querySelector('article');
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = e => (e.textContent || '').replace(/\s+/g, ' ').trim();
  const shown = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const label = e => {
    const name = typeof e.className === 'string' ? e.className.trim() : '';
    const kind = e.tagName.toLowerCase() + (name && '.' + name.split(/\s+/).join('.'));
    return `${kind} "${words(e).slice(0, 40)}"`;
  };

  // ---------------------------------------------------------------- contrast
  const canvas = document.createElement('canvas').getContext('2d',
    {willReadFrequently: true});
  const known = new Map();
  // Any CSS colour as red, green, blue in 0..255 and alpha in 0..1.
  function read(colour) {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = '#000';
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const over = (top, below) =>
    [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]);
  function ground(element, cache) {
    if (!element) return [255, 255, 255];
    if (!cache.has(element)) {
      const own = read(getComputedStyle(element).backgroundColor);
      const result = own[3] >= 0.999 ? own.slice(0, 3)
        : over(own, ground(element.parentElement, cache));
      cache.set(element, result);
    }
    return cache.get(element);
  }
  function fading(element) {
    let product = 1;
    for (let e = element; e; e = e.parentElement) {
      product *= Number(getComputedStyle(e).opacity);
    }
    return product;
  }
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) =>
    0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  function ratio(first, second) {
    const [low, high] = [luminance(first), luminance(second)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  }

  // Text below WCAG's AA: 4.5 to 1, or 3 to 1 for large text. On paper no background
  // is printed.
  function contrast({paper = false} = {}) {
    const cache = new Map(), poor = new Map(), seen = new Set();
    let checked = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (seen.has(element) || !walker.currentNode.data.trim()) continue;
      seen.add(element);
      if (element.closest('script, style, noscript, svg, mjx-assistive-mml')) continue;
      if (!shown(element) || element.closest('[disabled], [aria-hidden=true]')) continue;
      checked += 1;
      const style = getComputedStyle(element);
      const below = paper ? [255, 255, 255] : ground(element, cache);
      const ink = [...read(style.color)];
      ink[3] *= fading(element);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const found = ratio(over(ink, below), below);
      if (found < (large ? 3 : 4.5) - 0.005) {
        const key = `${found.toFixed(2)}: ${label(element)}`.replace(/ ".*/, '');
        if (!poor.has(key)) poor.set(key, `${found.toFixed(2)}: ${label(element)}`);
      }
    }
    return {checked, poor: [...poor.values()].slice(0, 12)};
  }

  // ------------------------------------------------------------------- names
  // The name that a screen reader says, in short: enough for what these pages use.
  function spoken(e) {
    const by = (e.getAttribute('aria-labelledby') || '').split(/\s+/).filter(Boolean)
      .map(id => document.getElementById(id)).filter(Boolean).map(words).join(' ');
    const inside = all('img', e).map(i => i.alt).join(' ');
    const labels = e.labels ? [...e.labels].map(words).join(' ') : '';
    return (by || e.getAttribute('aria-label') || labels || words(e) || inside
      || e.getAttribute('title') || e.getAttribute('placeholder') || '').trim();
  }
  const unnamed = () =>
    all('button, a[href], input:not([type=hidden]), select, textarea, summary')
      .filter(shown).filter(e => !spoken(e))
      .map(e => e.outerHTML.slice(0, 120));

  function pictures() {
    const bad = [];
    for (const image of all('img', article() || document)) {
      const alt = (image.getAttribute('alt') || '').trim();
      const file = decodeURIComponent(image.src.split('/').pop());
      if (alt.split(/\s+/).length < 3 || /\.(png|svg|jpe?g)$/i.test(alt)) {
        bad.push(`${file}: "${alt}"`);
      }
    }
    return bad;
  }

  // --------------------------------------------------------------- structure
  function headings() {
    const levels = all('main :is(h1, h2, h3, h4, h5, h6)').filter(shown)
      .filter(e => !e.closest('aside, nav, dialog, .bd-sidebar-secondary'))
      .map(e => [Number(e.tagName[1]), words(e)]);
    const bad = [];
    const ones = levels.filter(([level]) => level === 1).length;
    if (ones !== 1) bad.push(`${ones} headings of the first level`);
    if (levels.length && levels[0][0] !== 1) bad.push(`begins with ${levels[0][1]}`);
    for (let i = 1; i < levels.length; i += 1) {
      if (levels[i][0] > levels[i - 1][0] + 1) bad.push(`skips to ${levels[i][1]}`);
      if (!levels[i][1]) bad.push('an empty heading');
    }
    return bad;
  }
  // A table of data says which cells are heads, and no head is empty but a corner.
  function tables() {
    const bad = [];
    for (const table of all('table', article() || document).filter(shown)) {
      if (table.getAttribute('role') === 'presentation') continue;
      const heads = all('th', table);
      if (!heads.length) bad.push(`no head: ${words(table).slice(0, 60)}`);
      else if (!heads.some(words)) bad.push(`empty heads: ${words(table).slice(0, 60)}`);
    }
    return bad;
  }
  function structure() {
    const bad = [];
    if (!document.documentElement.lang) bad.push('no language');
    if (!document.title.trim()) bad.push('no title');
    if (all('main, [role=main]').length !== 1) bad.push('not one main part');
    const named = all('nav').filter(shown)
      .filter(e => !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby'));
    for (const nav of named) bad.push(`a nameless nav: ${nav.className}`);
    const ids = all('[id]').map(e => e.id);
    const twice = ids.filter((id, i) => ids.indexOf(id) !== i)
      // Boxes of sphinx-proof and sphinx-exercise; nothing points at them.
      .filter(id => !/^(MJX|mjx|(proof|exercise|solution)(-content)?$)/.test(id));
    if (twice.length) bad.push(`ids given twice: ${[...new Set(twice)].slice(0, 5)}`);
    const skip = document.querySelector('#pst-skip-link a[href^="#"]');
    if (!skip || !document.querySelector(skip.getAttribute('href'))) {
      bad.push('no link past the menu');
    }
    return bad;
  }
  const links = () => [...new Set(all('a[href]').map(a => a.href))]
    .filter(href => href.startsWith(location.origin));

  // The targets that a reader who follows a link to them does not come to see.
  async function unseen(ids) {
    const bad = [];
    for (const id of ids) {
      location.hash = '#' + id;
      // The page's own script answers to the jump, sooner or later.
      let seen = false;
      for (let tries = 0; tries < 50 && !seen; tries++) {
        await new Promise(done => setTimeout(done, tries > 1 ? 20 : 0));
        seen = inView(document.getElementById(id));
      }
      if (!seen) bad.push(id);
    }
    return bad;
  }
  function inView(goal) {
    if (!goal || !goal.checkVisibility({visibilityProperty: true})) return false;
    const box = goal.getBoundingClientRect();
    return box.bottom >= 0 && box.top <= innerHeight;
  }

  // Where the keyboard's focus is, and whether it can be seen.
  function focus() {
    const e = document.activeElement;
    const style = getComputedStyle(e);
    const ring = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== 'none';
    return {what: label(e), name: spoken(e), ring, shown: shown(e),
      inside: Boolean(article() && article().contains(e)), id: e.id};
  }

  // What paper would cut off, and what has no place on it.
  function paper() {
    const width = document.documentElement.clientWidth;
    const cut = all('article pre, article table, article img, article figure')
      .filter(shown)
      .filter(e => e.getBoundingClientRect().right > width + 1
        || (e.tagName === 'PRE' && e.scrollWidth > e.clientWidth + 1)).map(label);
    const extra = all('.bd-sidebar, .bd-header, .bd-header-article, .prev-next-footer, '
      + 'button, .headerlink').filter(shown).map(label);
    const folded = all('article details.claims, article .toggle-hidden')
      .filter(e => e.tagName === 'DETAILS' ? !e.open : shown(e)).map(label);
    return {cut, extra, folded};
  }

  return {
    contrast, focus, links, paper, unseen,
    facts: () => ({unnamed: unnamed(), pictures: pictures(), headings: headings(),
      tables: tables(), structure: structure()}),
    openAll: () => all('details').forEach(d => { d.open = true; }),
  };
})();
