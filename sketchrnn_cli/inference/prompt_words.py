"""The words of prompts that are not labels of the model. All are folded."""

from __future__ import annotations

SEPARATORS = {*",;/|.!?\n&、。،؛", "and", "with"}
ARROWS = {*">→⇒⟶➔➜"}  # the hyphens of -> and --> are gaps, the = of => is dropped
SILENT = {
    "a", "an", "the", "some", "please", "pls", "kindly", "thank", "thanks", "you",
}  # fmt: skip
CARRIERS = {  # nothing before the first word, or after a count, as in "two pictures of a cat"
    "i", "we", "me", "us", "my", "your", "can", "could", "will", "would", "want", "need", "like",
    "love", "to", "see", "have", "get", "let", "let's", "i'd", "just", "now", "hi", "hey", "hello",
    "draw", "drawing", "drawings", "sketch", "sketches", "doodle", "doodles", "paint", "painting",
    "paintings", "make", "show", "give", "create", "generate", "do", "picture", "pictures",
    "image", "images", "of", "for", "few", "several", "many", "lot", "lots", "more", "x", "×",
}  # fmt: skip
DENIALS = {"no", "not", "none", "without", "except", "don't", "never"}
NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
UNITS = {
    "pair": 2, "pairs": 2, "couple": 2, "dozen": 12, "hundred": 100, "thousand": 1000,
}  # fmt: skip
GRAMMAR = SILENT | CARRIERS | DENIALS | SEPARATORS | NUMBERS.keys() | UNITS.keys()  # no nouns
PAIRED = {  # a pair of these is one drawing
    "binoculars", "eyeglasses", "flip flops", "glasses", "headphones", "jeans", "pants", "pliers",
    "rollerskates", "scissors", "shorts", "sunglasses", "tights", "trousers", "underwear",
}  # fmt: skip
SYNONYMS: dict[str, tuple[str, ...]] = {  # label: what it is also called; earlier labels first
    "airplane": ("plane", "aeroplane", "jet", "airliner", "aircraft"),
    "alarm clock": ("clock",),
    "backpack": ("rucksack", "knapsack", "schoolbag", "back pack"),
    "bicycle": ("bike", "pushbike"),
    "bird": ("birdie", "songbird"),
    "bowtie": ("bow tie",),
    "campfire": ("bonfire", "camp fire"),
    "car": ("automobile",),
    "cat": ("kitty", "kitten", "pussycat", "kitty cat", "tomcat"),
    "cell phone": ("phone", "mobile", "mobile phone", "smartphone"),
    "coffee cup": ("mug", "cup", "teacup", "coffee mug", "cup of coffee", "cup of tea"),
    "couch": ("sofa", "settee"),
    "crocodile": ("alligator", "croc"),
    "cup": ("mug", "teacup"),
    "dog": ("doggy", "doggie", "puppy", "pup", "hound"),
    "donut": ("doughnut",),
    "duck": ("duckling", "ducky"),
    "eyeglasses": ("glasses", "spectacles"),
    "smiley face": ("smiley",),
    "face": ("smiley", "smiley face", "head"),
    "firetruck": ("fire truck", "fire engine"),
    "flashlight": ("torch",),
    "flying saucer": ("ufo",),
    "hamburger": ("burger", "cheeseburger"),
    "horse": ("pony", "foal", "stallion"),
    "hot air balloon": ("balloon",),
    "ice cream": ("ice cream cone", "icecream cone"),
    "light bulb": ("bulb",),
    "motorbike": ("motorcycle",),
    "moustache": ("mustache",),
    "mug": ("cup", "teacup"),
    "owl": ("owlet",),
    "pants": ("trousers", "jeans"),
    "pig": ("piggy", "piglet", "hog"),
    "purse": ("handbag",),
    "rabbit": ("bunny", "bunny rabbit", "hare"),
    "rhinoceros": ("rhino",),
    "sailboat": ("boat", "sailing boat", "yacht"),
    "sheep": ("lamb",),
    "squiggle": ("scribble", "wavy line", "squiggly line"),
    "streetlight": ("street light", "street lamp", "lamppost"),
    "suitcase": ("suit case", "luggage"),
    "swan": ("cygnet",),
    "t-shirt": ("tee shirt", "tee"),
    "teddy-bear": ("teddy",),
    "telephone": ("phone",),
    "television": ("tv", "telly"),
    "tennis racquet": ("tennis racket",),
    "traffic light": ("stoplight",),
    "truck": ("lorry",),
    "zigzag": ("zig zag",),
}
