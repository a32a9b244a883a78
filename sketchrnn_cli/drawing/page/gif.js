// A GIF encoder: part of the script that turns.js begins.

// ---- GIF ----------------------------------------------------------------------------------

const LEVELS = 16; // colours of the palette, so 4 bits a pixel
const CODES = 4096; // of the LZW dictionary at most

/** An animation that loops. Each frame is what has changed since the one before.
 *  side: of the square, pixels; palette: LEVELS colours [red, green, blue]. */
class Gif {
  constructor(side, palette) {
    this.side = side;
    this.before = null;
    this.parts = [ascii("GIF89a"), [...short(side), ...short(side), 0xf3, 0, 0], palette.flat(),
      [0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0]];
  }

  /** levels: (side * side) numbers of the palette; delay: hundredths of a second. */
  add(levels, delay) {
    const { left, top, width, height } = this.changed(levels), pixels = [];
    for (let y = top; y < top + height; y++)
      pixels.push(...levels.subarray(y * this.side + left, y * this.side + left + width));
    this.before = levels;
    this.parts.push([0x21, 0xf9, 4, 4, ...short(delay), 0, 0]); // what is there stays
    this.parts.push([0x2c, ...[left, top, width, height].flatMap(short), 0, 4]);
    const data = lzw(pixels);
    for (let at = 0; at < data.length; at += 255) {
      const block = data.slice(at, at + 255);
      this.parts.push([block.length, ...block]);
    }
    this.parts.push([0]);
  }

  /** The smallest rectangle that holds all changes; one pixel where there are none. */
  changed(levels) {
    const { side, before } = this;
    if (!before) return { left: 0, top: 0, width: side, height: side };
    let left = side, right = 0, top = side, bottom = 0;
    for (let at = 0; at < levels.length; at++) {
      if (levels[at] === before[at]) continue;
      const x = at % side, y = (at - x) / side;
      left = Math.min(left, x); right = Math.max(right, x);
      top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
    if (right < left) return { left: 0, top: 0, width: 1, height: 1 };
    return { left, top, width: right - left + 1, height: bottom - top + 1 };
  }

  file() {
    return new Blob([...this.parts.map((part) => Uint8Array.from(part)), Uint8Array.of(0x3b)], { type: "image/gif" });
  }
}

function ascii(text) {
  return Array.from(text, (c) => c.charCodeAt(0));
}

function short(number) {
  return [number & 255, number >> 8];
}

/** Bytes of the LZW code of pixels, each less than LEVELS. */
function lzw(pixels) {
  const bytes = [], stop = LEVELS + 1;
  let known = new Map(), next = stop + 1, width = 5, bits = 0, held = 0;
  const put = (code) => {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8, held >>= 8) bytes.push(held & 255);
  };
  put(LEVELS); // clears the dictionary
  let code = pixels[0];
  for (let k = 1; k < pixels.length; k++) {
    const key = code * LEVELS + pixels[k], longer = known.get(key);
    if (longer !== undefined) {
      code = longer;
      continue;
    }
    put(code);
    code = pixels[k];
    if (next < CODES) {
      known.set(key, next);
      if (next++ === 1 << width) width++;
    } else {
      put(LEVELS);
      [known, next, width] = [new Map(), stop + 1, 5];
    }
  }
  put(code);
  put(stop);
  if (bits) bytes.push(held & 255);
  return bytes;
}
