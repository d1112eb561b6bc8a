// On a narrow screen a picture keeps a width at which its text can be read, and scrolls:
// lrcore.css.  What scrolls must be within reach of the keyboard.
for (const picture of document.querySelectorAll(
  '.cell_output > img, .sphx-glr-single-img, main img[src$="ratios.svg"]',
)) {
  const frame = document.createElement("div");
  frame.className = "lrcore-picture";
  frame.tabIndex = 0;
  frame.role = "group";
  frame.ariaLabel = "Picture";
  picture.replaceWith(frame);
  frame.append(picture);
}
