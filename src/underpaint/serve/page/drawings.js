/** Drawings of the buttons: paths in a square of 24. */

export const drawings = {
  brush: "M4 20c3 0 5-1 5-4a3 3 0 0 1 5 2M11 14 20 4M13 16 21 6",
  click: "M12 4v3M12 17v3M4 12h3M17 12h3M12 11.5v1M11.5 12h1M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8",
  box: "M5 6h14v12H5zM3 4h4v4H3zM17 16h4v4h-4z",
  polygon: "M5 9 13 4l7 7-4 8H7zM13 4v.1",
  lasso: "M12 5c5 0 8 2 8 5s-3 5-8 5-8-2-8-5 3-5 8-5M7 15c-2 2 1 3 0 6",
  fill: "M10 4l8 8-7 7a1.500 1.500 0 0 1-2 0l-6-6a1.500 1.500 0 0 1 0-2zM4 12h14M20 15c1.500 2 1.500 4 0 4s-1.500-2 0-4",
  eraser: "M4 15 13 5l6 6-8 9H8zM8.500 10.500l6 6M12 20h8",
  undo: "M9 7 4 11l5 4M4 11h10a5 5 0 0 1 0 10h-3",
  redo: "M15 7l5 4-5 4M20 11H10a5 5 0 0 0 0 10h3",
  left: "M14 5l-7 7 7 7",
  right: "M10 5l7 7-7 7",
  eye: "M3 12c3-5 6-7 9-7s6 2 9 7c-3 5-6 7-9 7s-6-2-9-7M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6",
  hidden: "M3 12c3-5 6-7 9-7s6 2 9 7c-3 5-6 7-9 7s-6-2-9-7M4 4l16 16",
  remove: "M6 6l12 12M18 6 6 18",
  up: "M6 14l6-6 6 6",
  down: "M6 10l6 6 6-6",
};
