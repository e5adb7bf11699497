"""Titles and descriptions of made-up videos: what they are about, and nothing of how they look or sound.

The topics are told apart by meaning rather than by words. Each has many things and deeds, so that any one of them is
rare; many words stand in several topics (stock, shell, branch, bench, pitch); and small talk, shared by all topics, is
full of sayings that use the topics' words and mean something else ("the ball is in your court").
"""

from __future__ import annotations

import numpy as np

# topic -> (things, deeds)
TOPICS = {
    "cooking": (
        "beef stock; pasta shells; a sourdough crust; roasted root vegetables; a garlic press; the perfect "
        "omelette; a dinner plate for four; lentil soup; puff pastry; pickled cucumbers; a forkful of risotto; "
        "leftover rice; butternut squash; the Sunday roast joint; caramel sauce; an oven that runs too hot; fresh "
        "basil; a cast-iron skillet; steamed dumplings; chickpea curry; a saffron paella; the lid of the pressure "
        "cooker; lumpy custard; sharp kitchen knives; a bouillabaisse; cinnamon buns; olive oil; yesterday's "
        "meatballs; toasted cumin; a bain-marie",
        "knead dough; chop onions fast; season a broth; fillet a trout; bake flatbread; thicken a gravy; fry an egg "
        "without sticking; whip cream by hand; marinate tofu; peel a mango; blanch spinach; roll sushi; deglaze a "
        "pan; cure salmon; toss a salad",
    ),
    "gardening": (
        "tomato seedlings; a compost heap; rose bushes; weeds between the rows; the apple tree's lowest branch; "
        "peeling birch bark; slugs on the lettuce; tulip bulbs; a greenhouse; squash vines; root rot; a watering "
        "can with a fine spout; the hedge along the fence; clay soil; potted ferns; a bed of lavender; pollinating "
        "bees; the first frost on the beans; mulch and leaf mould; an orchid in the window; a hydrangea that will "
        "not flower; earthworms; the wheelbarrow; runner beans on poles; bare-rooted saplings; dandelions; a rain "
        "barrel; sweet peas; the cold frame; moss under the maple",
        "prune shrubs; sow seeds in trays; repot a cactus; graft a cherry; mow a lawn that is uneven; dig over a "
        "vegetable patch; keep aphids away; divide perennials; harvest pumpkins; trim ivy; take cuttings; "
        "transplant rhubarb; water a terrace in drought; rake leaves; stake dahlias",
    ),
    "astronomy": (
        "the rings of Saturn; a binary star; the asteroid belt; craters on the moon; a six-inch telescope; the "
        "Andromeda galaxy; the next solar eclipse; a comet's tail; black holes; Jupiter's four largest moons; "
        "meteor showers in August; sunspots; the orbit of Mars; the Orion nebula; a supernova remnant; "
        "gravitational waves; the space station passing over; exoplanets; the phases of Venus; cosmic background "
        "radiation; a neutron star; the heliosphere; the missing matter; quasars; Halley's return; "
        "the Hubble constant; a lunar rover; the Pleiades; Neptune's storms; an observatory on a volcano",
        "find Polaris; align an equatorial mount; photograph the Milky Way; read a star chart; estimate a planet's "
        "distance; observe a transit; spot satellites; measure redshift; track the lunar cycle; tell stars from "
        "planets; collimate a reflector; name the constellations; time an occultation; stack long exposures; weigh "
        "a galaxy",
    ),
    "football": (
        "the penalty shoot-out; a late equaliser; the offside trap; a striker's first touch; the transfer window; a "
        "muddy pitch; the back four; the substitutes' bench; a free kick from thirty yards; the star goalkeeper; "
        "the derby; corner kicks; a red card in the first half; the league table; a high press; the away "
        "supporters; a promotion play-off; the midfield diamond; the cup draw; a hat-trick; the wall at a set "
        "piece; a wasted header; the dressing room at half-time; extra time; a nutmeg; the video assistant; the "
        "captain's armband; a counter-attack; relegation; a clean sheet",
        "bend a cross; mark a winger; pass under pressure; head the ball downwards; read the referee; coach a youth "
        "side; defend a one-goal lead; take a throw-in; dribble past a full-back; win the second ball; take a spot "
        "kick; play out from the back; chip the keeper; scout a winger; track a runner",
    ),
    "money": (
        "stocks and bonds; an index fund; the household budget; a fixed-rate mortgage; credit card interest; the "
        "tax return; a savings account at a local branch; compound interest; pension contributions; an emergency "
        "fund; student loans; dividends; inflation; a currency transfer; the insurance premium; shares of a small "
        "company; overdraft fees; the housing market; a salary negotiation; exchange rates; the central bank; a "
        "rainy-day account; capital gains; the payslip; bankruptcy; a bear market; bookkeeping; venture capital; "
        "the landlord's contract; a brokerage",
        "pay off debt; compare lenders; diversify a portfolio; save for a deposit; read a balance sheet; cut "
        "monthly bills; claim deductions; plan for retirement; borrow at a lower rate; hedge against losses; split "
        "the rent; haggle over a bill; freelance and invoice; file for a refund; value a start-up",
    ),
    "programming": (
        "a Python script; the shell prompt; a merge conflict on the main branch; unit tests; a memory leak; the "
        "random seed; a linked list; recursion; an endless loop; database queries; a forked repository; race "
        "conditions; the compiler's warnings; a mouse event handler; web servers; regular expressions; a binary "
        "search tree; the root user; a stack overflow; type annotations; a null pointer; the garbage collector; "
        "version control; an open-source licence; nested brackets; a chat bot; spaghetti code; the command line; a "
        "hash map; container images",
        "debug a crash; refactor a class; parse a file; deploy to the cloud; profile slow code; write a sorting "
        "algorithm; review a pull request; call an API; roll back a release; encrypt a password; train a "
        "classifier; mock a dependency; trace an exception; compile a kernel; migrate a schema",
    ),
    "pets": (
        "a terrier that will not stop barking; a litter of kittens; the fish tank; hamsters and mice; a royal "
        "python; a budgie's cage; the yearly visit to the vet; a puppy on the leash; fleas and ticks; a scratching "
        "post; a rescue greyhound; dry food or wet food; a tortoise's shell; an old tomcat; guinea pigs; a rabbit "
        "hutch; a parrot that talks; muzzles and collars; a shedding coat; the dog's basket; the neighbour's "
        "dachshund; cat litter; a goldfish bowl; chew toys; the hedgehog in the yard; microchips for kittens; "
        "hairballs; a whining hound; canaries; the terrarium",
        "house-train a spaniel; trim claws; introduce two cats; brush a long-haired breed; teach a dog to sit; "
        "clean an aquarium; give a tablet to a cat; walk three dogs at once; feed geckos; stop a puppy from "
        "chewing; saddle a mare; clip a poodle; bottle-feed a lamb; foster a stray; bathe a ferret",
    ),
    "woodwork": (
        "a dovetail joint; the smoothing plane; an oak plank; a workbench; the band saw; a set of chisels; linseed "
        "oil; a belt sander; plywood shelves; the grain of walnut; a mallet and clamps; a turned bowl; sawdust and "
        "splinters; a rocking chair; the router table; mortise and tenon; beech veneer; wood glue; a carved spoon; "
        "a cabinet door that sticks; a spokeshave; warped boards; the lathe; pine offcuts; shellac; a marking "
        "gauge; countersunk screws; a birdhouse; the tenon saw; burl and knots",
        "sharpen a blade; plane a board square; drill a clean hole; sand end grain; whittle a figure; join two "
        "planks; varnish a tabletop; build a stool; cut a mitre; season green timber; rip a beam; laminate veneers; "
        "turn a candlestick; hollow a trough; fit a drawer",
    ),
    "history": (
        "the fall of Rome; a Doric column; the printing press; the Silk Road; medieval guilds; Viking ships; the "
        "French Revolution; a pharaoh's tomb; the Black Death; the siege of Vienna; trench warfare; the Ottoman "
        "court; the steam age; a treaty that nobody kept; Bronze Age tanks for grain; the Aztec empire; Cold War "
        "spies; the suffragettes; a castle's moat; the Tudor crown; the Magna Carta; Hannibal's elephants; the Ming "
        "emperors; a plague village; the abolition of slavery; Byzantine icons; the Luddites; pilgrims and "
        "settlers; the Berlin Wall; Cleopatra",
        "date a manuscript; read hieroglyphs; trace a dynasty; question a chronicle; map an ancient harbour; follow "
        "Napoleon's retreat; excavate a Roman villa; compare two archives; retell a mutiny; decode a cipher; "
        "restore a parchment; dispute a legend; list the Habsburgs; retrace a crusade; visit a battlefield",
    ),
    "fitness": (
        "the bench press; weight plates; a rowing machine; sore hamstrings; stiff joints; interval sprints; "
        "push-ups and planks; a half marathon; core strength; the squat rack; protein intake; resting heart rate; a "
        "foam roller; kettlebell swings; shin splints; a rest day; deadlifts; skipping ropes; a plateau in "
        "training; yoga for beginners; a spin class; dumbbells; the pull-up bar; blisters after ten miles; a "
        "triathlon; lactic acid; weak ankles; the treadmill; burpees; body fat",
        "warm up; stretch the calves; run five kilometres; lift without hurting the back; do a first pull-up; "
        "breathe while jogging; recover after a workout; burn calories; build muscle; improve posture; swim laps; "
        "count repetitions; tape a wrist; cool down; pace a marathon",
    ),
    "cars": (
        "the timing belt; a full fuel tank; worn brake pads; the boot and the trunk; a rusty chassis; spark plugs; "
        "an electric hatchback; number plates; winter tyres; the gearbox; a jack and four wheel nuts; engine oil; a "
        "leaking radiator; the clutch pedal; a flat battery; hybrid saloons; the exhaust pipe; cruise control; a "
        "dented bumper; a diesel van; the catalytic converter; a hitch and trailer; seat belts; the dashboard "
        "light; petrol or electric; a vintage roadster; wiper blades; the crankshaft; motorway tolls; a scratched "
        "windscreen",
        "change a tyre; bleed the brakes; park in reverse; replace a headlamp; tow a caravan; charge at home; pass "
        "the yearly inspection; tune a carburettor; check the coolant; buy a used estate; jump-start an engine; "
        "rotate the wheels; polish the bonnet; parallel park; lower the suspension",
    ),
    "travel": (
        "a night train to Lisbon; the plane's middle seat; an airport terminal; a rail pass; hostels by the port; a "
        "pitch for the tent; jet lag; visas on arrival; a carry-on suitcase; the old town of Prague; a ferry "
        "between islands; street markets in Hanoi; a desert crossing; backpackers; lost luggage; the border post; "
        "mountain huts; a walking tour; passports; a week in Patagonia; the overnight ferry; a phrasebook; a safari "
        "in Kenya; the customs queue; temples in Kyoto; a rented camper; stamps in a passport; the hotel breakfast; "
        "a layover in Doha; sherpas",
        "pack light; find a cheap flight; order in a foreign language; cross the Alps; book a homestay; sleep on a "
        "bus; read a subway map; hitch-hike; plan a round trip; avoid tourist traps; exchange currency; trek to "
        "Machu Picchu; ask for directions; sail the fjords; keep a journal on the road",
    ),
}

TITLES = (
    "How to {deed}",
    "{thing}, explained",
    "{thing}: what nobody tells you",
    "Learning to {deed}",
    "{number} mistakes with {thing}",
    "My trouble with {thing}",
    "{thing} and {other}",
    "Can you {deed} in {number} minutes?",
    "All about {thing}",
    "Before you {deed}, watch this",
    "I tried to {deed} for {number} days",
    "{thing}, part {number}",
)
SENTENCES = (
    "We look at {thing} up close.",
    "{name} shows how to {deed}.",
    "Some thoughts on {thing}.",
    "I try to {deed} with what is at hand.",
    "A few of you asked about {thing}.",
    "{name} brings {thing}.",
    "You will also see me {deed}.",
    "Then it is time to {deed}.",
    "The second half is about {thing}.",
    "Is it worth it to {deed}? I think so.",
    "There is a word on {thing} too.",
    "{name} and I disagree about {thing}.",
)
SMALL_TALK = (
    "It was a piece of cake.",
    "The ball is in your court now.",
    "Thanks to you I am over the moon.",
    "There was a bug in last week's upload.",
    "No need to reinvent the wheel.",
    "Do not put all your eggs in one basket.",
    "That idea is a dead end, but it planted a seed.",
    "It cost an arm and a leg.",
    "Time well spent, money well spent.",
    "We went off the beaten track.",
    "Let sleeping dogs lie.",
    "I was barking up the wrong tree.",
    "Back to square one, then.",
    "The rest is history.",
    "I am no rocket scientist.",
    "It runs in the family.",
    "You are all stars.",
    "We hit the nail on the head.",
    "Give it a try and shift gears.",
    "Not my cup of tea, but maybe yours.",
    "Links and times are below.",
    "Recorded with a new microphone.",
    "Sorry for the delay.",
    "Leave a comment and subscribe.",
)
NAMES = ("Ada", "Bruno", "Chen", "Dilara", "Emeka", "Freya", "Goran", "Hana", "Ines", "Jamal", "Kofi", "Lena")

N_SENTENCES = 4  # about a topic; one or two lines of small talk stand between them


def title_and_description(topics: tuple[str, str, float], rng: np.random.Generator) -> tuple[str, str]:
    """A title about the first topic, and a description with sentences about both; no phrase stands in it twice.

    topics: the first, the second and the share of the first, which is the expected share of its sentences.
    """
    first, second, share = topics
    n_second = int(N_SENTENCES * (1 - share) + rng.random())
    about = [first] * (N_SENTENCES - n_second) + [second] * n_second
    phrases = {topic: [_shuffled(each.split("; "), rng) for each in TOPICS[topic]] for topic in (first, second)}
    title = _filled(TITLES[rng.integers(len(TITLES))], *phrases[first], rng)
    patterns = _shuffled(SENTENCES, rng)[:N_SENTENCES]
    sentences = [_filled(pattern, *phrases[topic], rng) for pattern, topic in zip(patterns, about, strict=True)]
    sentences += _shuffled(SMALL_TALK, rng)[: rng.integers(1, 3)]
    return title, " ".join(_shuffled(sentences, rng))


def _filled(pattern: str, things: list[str], deeds: list[str], rng) -> str:
    """The pattern with things and deeds that are taken off their lists."""
    blanks = {"number": rng.integers(2, 13), "name": NAMES[rng.integers(len(NAMES))]}
    for name, phrases in (("thing", things), ("other", things), ("deed", deeds)):
        if f"{{{name}}}" in pattern:
            blanks[name] = phrases.pop()
    text = pattern.format(**blanks)
    return text[0].upper() + text[1:]


def _shuffled(phrases, rng) -> list[str]:
    return [phrases[place] for place in rng.permutation(len(phrases))]
