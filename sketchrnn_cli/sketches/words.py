"""Names of drawings: which spellings are one name, and which other forms a name answers to.

English plurals by rule, with the irregular ones that can be drawn. The rules are generous: a form
nobody writes does no harm, because a name that is spelled out always comes first.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

_GAP = re.compile(r"[\s_-]+")
_LATIN = re.compile(r"[a-z]")
_MINUS = "\N{MINUS SIGN}"

_PLURALS = {
    "mouse": "mice", "louse": "lice", "goose": "geese", "tooth": "teeth", "foot": "feet",
    "person": "people", "child": "children", "ox": "oxen", "die": "dice", "quiz": "quizzes",
}  # fmt: skip
_SINGULARS = {plural: singular for singular, plural in _PLURALS.items()}
_TO_PLURAL = (  # how a noun ends, and what becomes of that
    (r"man$", "men"),  # snowmen
    (r"(?<!f)f$", "ves"),  # leaves
    (r"ife$", "ives"),  # knives
    (r"us$", "i"),  # cacti
    (r"is$", "es"),  # axes
    (r"(?<=[^aeiou])y$", "ies"),  # butterflies
    (r"(s|x|z|ch|sh|o)$", r"\1es"),  # buses, mosquitoes
    (r"(?<!s)$", "s"),
)
_TO_SINGULAR = (
    (r"men$", "man"),
    (r"ies$", "y"),
    (r"ves$", "f"),
    (r"ves$", "fe"),
    (r"(s|x|z|ch|sh|o)es$", r"\1"),
    (r"i$", "us"),
    (r"(?<=.[^sui])s$", ""),
)


def visible(text: str) -> str:
    """NFKC without control and format characters; whitespace stays as it is."""
    text = unicodedata.normalize("NFKC", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf"))


def is_hyphen(character: str) -> bool:
    """Any dash: hyphen, en and em dash, minus."""
    return character == _MINUS or unicodedata.category(character) == "Pd"


def fold(word: str) -> str:
    """What the spellings of a word share: "Ice_CREAM " and "ice-cream" become "ice cream".

    NFKC and case folding; hyphens, underscores and whitespace become one space; controls go.
    Letters of every script stay. Folding twice changes nothing.
    """
    if not word.isascii():
        word = visible(visible(word).casefold())  # folding the case can undo the normal form
        word = "".join(" " if is_hyphen(c) else c for c in word).replace("’", "'")
    return _GAP.sub(" ", visible(word).lower()).strip()


def closest(word: str, known: Iterable[str], n: int = 3, *, alike: float = 0.6) -> list[str]:
    """Up to n known words that are spelled like this one, the most alike first.

    Args:
        word: as someone wrote it.
        known: words.
        n: how many at most.
        alike: share of letters in common, at least: at 0 there are always n.
    """
    labels: dict[str, str] = {}
    for label in known:
        labels.setdefault(fold(label), label)
    return [labels[form] for form in difflib.get_close_matches(fold(word), labels, n, alike)]


def forms(label: str) -> list[str]:
    """The folded forms a label answers to, its own first.

    Singular and plural of the last word, or of the one before "of" ("cups of coffee"); without
    "the" before it; and in one word ("coffeecup").
    """
    folded = fold(label)
    bare = folded.removeprefix("the ")
    head, of, rest = bare.partition(" of ")
    before, gap, noun = head.rpartition(" ")
    found = [folded, bare]
    if _LATIN.search(noun):
        found += [f"{before}{gap}{form}{of}{rest}" for form in _inflected(noun)]
    found += [form.replace(" ", "") for form in found]
    return list(dict.fromkeys(found))


def _inflected(noun: str) -> list[str]:
    """Its plurals, then its singulars."""
    found = []
    for irregular, endings in ((_PLURALS, _TO_PLURAL), (_SINGULARS, _TO_SINGULAR)):
        found += [irregular[noun]] if noun in irregular else []
        found += [re.sub(end, new, noun) for end, new in endings if re.search(end, noun)]
    return found


# The words of Quick, Draw!, as Google spells them: categories.txt of quickdraw-dataset.
_LIST = """
aircraft carrier, airplane, alarm clock, ambulance, angel, animal migration, ant, anvil, apple,
arm, asparagus, axe, backpack, banana, bandage, barn, baseball, baseball bat, basket,
basketball, bat, bathtub, beach, bear, beard, bed, bee, belt, bench, bicycle, binoculars, bird,
birthday cake, blackberry, blueberry, book, boomerang, bottlecap, bowtie, bracelet, brain,
bread, bridge, broccoli, broom, bucket, bulldozer, bus, bush, butterfly, cactus, cake,
calculator, calendar, camel, camera, camouflage, campfire, candle, cannon, canoe, car, carrot,
castle, cat, ceiling fan, cello, cell phone, chair, chandelier, church, circle, clarinet, clock,
cloud, coffee cup, compass, computer, cookie, cooler, couch, cow, crab, crayon, crocodile,
crown, cruise ship, cup, diamond, dishwasher, diving board, dog, dolphin, donut, door, dragon,
dresser, drill, drums, duck, dumbbell, ear, elbow, elephant, envelope, eraser, eye, eyeglasses,
face, fan, feather, fence, finger, fire hydrant, fireplace, firetruck, fish, flamingo,
flashlight, flip flops, floor lamp, flower, flying saucer, foot, fork, frog, frying pan, garden,
garden hose, giraffe, goatee, golf club, grapes, grass, guitar, hamburger, hammer, hand, harp,
hat, headphones, hedgehog, helicopter, helmet, hexagon, hockey puck, hockey stick, horse,
hospital, hot air balloon, hot dog, hot tub, hourglass, house, house plant, hurricane, ice
cream, jacket, jail, kangaroo, key, keyboard, knee, knife, ladder, lantern, laptop, leaf, leg,
light bulb, lighter, lighthouse, lightning, line, lion, lipstick, lobster, lollipop, mailbox,
map, marker, matches, megaphone, mermaid, microphone, microwave, monkey, moon, mosquito,
motorbike, mountain, mouse, moustache, mouth, mug, mushroom, nail, necklace, nose, ocean,
octagon, octopus, onion, oven, owl, paintbrush, paint can, palm tree, panda, pants, paper clip,
parachute, parrot, passport, peanut, pear, peas, pencil, penguin, piano, pickup truck, picture
frame, pig, pillow, pineapple, pizza, pliers, police car, pond, pool, popsicle, postcard,
potato, power outlet, purse, rabbit, raccoon, radio, rain, rainbow, rake, remote control,
rhinoceros, rifle, river, roller coaster, rollerskates, sailboat, sandwich, saw, saxophone,
school bus, scissors, scorpion, screwdriver, sea turtle, see saw, shark, sheep, shoe, shorts,
shovel, sink, skateboard, skull, skyscraper, sleeping bag, smiley face, snail, snake, snorkel,
snowflake, snowman, soccer ball, sock, speedboat, spider, spoon, spreadsheet, square, squiggle,
squirrel, stairs, star, steak, stereo, stethoscope, stitches, stop sign, stove, strawberry,
streetlight, string bean, submarine, suitcase, sun, swan, sweater, swing set, sword, syringe,
table, teapot, teddy-bear, telephone, television, tennis racquet, tent, The Eiffel Tower, The
Great Wall of China, The Mona Lisa, tiger, toaster, toe, toilet, tooth, toothbrush, toothpaste,
tornado, tractor, traffic light, train, tree, triangle, trombone, truck, trumpet, t-shirt,
umbrella, underwear, van, vase, violin, washing machine, watermelon, waterslide, whale, wheel,
windmill, wine bottle, wine glass, wristwatch, yoga, zebra, zigzag
"""
QUICKDRAW = tuple(" ".join(_LIST.split()).split(", "))
