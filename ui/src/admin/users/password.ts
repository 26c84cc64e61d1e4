// A password somebody can read out over the phone: short words, no look-alikes, enough chance.

const WORDS =
  "amber anchor apple april arrow aspen autumn badge baker bamboo basil beach berry birch bloom breeze brook butter cabin candle canyon carrot cedar cherry chess cider clover coast cobalt comet copper coral cotton cricket crown daisy dawn delta denim dune eagle echo ember falcon feather fern field finch flint forest fox garden garnet ginger glacier globe grape harbor hazel heron hill honey indigo island ivory ivy jade jasmine juniper kettle kite lagoon lake lantern lark laurel lemon lilac lily linen lotus maple marble meadow melon mint mirror moon moss nectar nest oak oasis ocean olive opal orbit orchid otter owl paper pearl pebble pepper petal pine planet plum pond poppy prairie quartz quill rain raven reed ribbon river robin rose ruby saffron sage sail salt sand satin shell silk silver sky snow spark spruce star stone storm sugar summer sun swan thistle thunder tiger topaz trail tulip tundra valley velvet violet walnut wave wheat willow wind winter wolf wren yarrow zephyr".split(
    " ",
  );

/** Four words and a number: over 38 bits from this list, and every draw is uniform. */
export function suggestPassword(random: (below: number) => number = draw): string {
  const words = Array.from({ length: 4 }, () => WORDS[random(WORDS.length)]);
  return `${words.join("-")}-${random(90) + 10}`;
}

function draw(below: number): number {
  const limit = Math.floor(0x1_0000_0000 / below) * below;
  const box = new Uint32Array(1);
  do crypto.getRandomValues(box);
  while ((box[0] as number) >= limit);
  return (box[0] as number) % below;
}
