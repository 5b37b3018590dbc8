import './lab.css';
import './app.ts';
