// The pictures of the made films: small painted loops, described as ffmpeg filter graphs.
// Each comes back to its first frame after LOOP_S seconds, so that a loop of any length has
// no jump. `P` below is that turn as an angle.
export const LOOP_S = 8;
const P = `(2*PI*T/${LOOP_S})`;
const x = "(X/W)";
const y = "(Y/H)";

/** A canvas painted pixel by pixel; red, green and blue each are an expression of x, y and P. */
function painted({ r, g, b }, size = "256x144") {
  return `color=c=black:s=${size}:r=12:d=${LOOP_S},format=gbrp,geq=r='${r}':g='${g}':b='${b}'`;
}

/** A soft round light at (cx, cy); larger `tight` means smaller light. */
const glow = (cx, cy, tight) => `exp(-${tight}*(pow((${x}-(${cx}))*1.78,2)+pow(${y}-(${cy}),2)))`;

const lights = [
  glow(`0.22+0.03*sin(${P})`, `0.34+0.04*cos(${P})`, 38),
  glow(`0.44+0.02*sin(${P}+2)`, `0.58+0.03*cos(${P}+1)`, 90),
  glow(`0.63+0.04*cos(${P}+4)`, `0.30+0.03*sin(${P}+2)`, 55),
  glow(`0.82+0.02*sin(${P}+5)`, `0.52+0.05*cos(${P}+3)`, 30),
  glow(`0.10+0.02*cos(${P}+1)`, `0.72+0.03*sin(${P}+4)`, 120),
  glow(`0.70+0.03*sin(${P}+3)`, `0.78+0.02*cos(${P})`, 140),
].join("+");

const fold = `(0.5+0.5*sin(${x}*44+0.9*sin(${P})+1.3*sin(${y}*3+${P})))`;
const spot = glow(`0.5+0.07*sin(${P})`, "0.34", 3.2);
const velvet = `(0.05+pow(${fold},1.6)*0.62)*(0.22+${spot})`;
const fringe = `between(${y},0.90+0.012*sin(${x}*44),0.955+0.012*sin(${x}*88))`;

const moon = glow("0.68", "0.24", 320);
const halo = glow("0.68", "0.24", 9);
const ripple = `(0.5+0.5*sin(pow(${y}-0.5,0.6)*150-4*${P}+2.5*sin(${x}*21+2*${P})))`;
const path = `exp(-pow((${x}-0.68)/(0.03+0.22*max(0,${y}-0.52)),2))`;
const water = `gt(${y},0.54)`;

const ridge = (base, height, turns, phase) => `gt(${y},${base}-${height}*(sin(${x}*${turns}+${phase})+0.45*sin(${x}*${turns}*2.3+${phase}*1.7)))`;
const hills = [
  ridge(0.55, 0.05, 7, 1),
  ridge(0.66, 0.06, 5, 3),
  ridge(0.78, 0.06, 6, 5),
  ridge(0.9, 0.05, 4, 2),
];
const layered = (sky, tones) => hills.reduce((below, hill, at) => `if(${hill},${tones[at]},${below})`, sky);
const sun = glow(`0.5+0.02*sin(${P})`, `0.42+0.02*cos(${P})`, 130);
const dusk = glow("0.5", "0.5", 3);

const band = (shift, speed) => `exp(-pow((${y}-0.42-0.13*sin(${x}*5+${shift}+${P})-0.05*sin(${x}*13-${speed}*${P}))*7,2))`;
const streak = `(0.55+0.45*sin(${x}*70+3*sin(${P}+${x}*4)))`;

export const scenes = {
  lanterns: painted({ r: `min(255,26+255*(${lights}))`, g: `min(255,10+160*(${lights}))`, b: `min(255,22+62*(${lights})+26*${y})` }),
  curtain: painted({
    r: `min(255,if(${fringe},210*(0.3+${spot}),330*${velvet}))`,
    g: `min(255,if(${fringe},156*(0.3+${spot}),34*${velvet}))`,
    b: `min(255,if(${fringe},66*(0.3+${spot}),52*${velvet}))`,
  }),
  ferry: painted({
    r: `min(255,if(${water},10+210*${ripple}*${path},16+40*${y}+250*${moon}+46*${halo}))`,
    g: `min(255,if(${water},20+190*${ripple}*${path}+10*${ripple},24+60*${y}+240*${moon}+52*${halo}))`,
    b: `min(255,if(${water},44+120*${ripple}*${path}+22*${ripple},58+90*${y}+200*${moon}+60*${halo}))`,
  }),
  hills: painted({
    r: layered(`min(255,70+170*${dusk}+255*${sun})`, [150, 104, 62, 28]),
    g: layered(`min(255,40+90*${dusk}+230*${sun})`, [82, 52, 34, 18]),
    b: layered(`min(255,92-10*${dusk}+140*${sun})`, [96, 78, 58, 36]),
  }),
  aurora: painted({
    r: `min(255,10+30*${y}+150*${band(2, 1)}*${streak})`,
    g: `min(255,12+24*${y}+210*${band(0, 2)}*${streak})`,
    b: `min(255,34+40*${y}+70*${band(1, 1)}*${streak}+60*${band(2, 1)})`,
  }),
  // Not painted by hand: these two run on and on, and look different at every moment.
  fractal: "mandelbrot=s=640x360:r=24:maxiter=240:start_scale=1.6:end_scale=0.02:end_pts=300:inner=mincol,format=gray,format=gbrp,pseudocolor=p=magma",
  moss: "life=s=160x90:mold=24:r=24:ratio=0.16:seed=7:death_color=0x0b2a22:life_color=0xf2e6a0:mold_color=0x08130f,scale=640:360:flags=bicubic,gblur=sigma=3,format=gbrp",
};
